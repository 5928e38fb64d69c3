"""What an output token would cost at least."""
