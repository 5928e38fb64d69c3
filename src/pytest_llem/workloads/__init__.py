"""What is asked of an engine: prompts, lengths, arrival times."""
