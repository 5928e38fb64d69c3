"""What the engines themselves say that they can be told."""
