"""Items to experiments: the grid and its preview."""
