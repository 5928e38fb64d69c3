"""Going on with a run that was killed or interrupted."""
