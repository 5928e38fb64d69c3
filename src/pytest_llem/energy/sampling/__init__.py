"""Reading devices while an experiment runs."""
