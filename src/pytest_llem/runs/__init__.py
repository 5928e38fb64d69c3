"""A run as a whole: where plan, results and baselines are composed."""
