"""What a run leaves where continuous integration looks for it."""
