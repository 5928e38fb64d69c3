"""What users write and programs leave behind, at random: only our own errors may come of it."""
