"""What experiments that have not run are expected to take."""
