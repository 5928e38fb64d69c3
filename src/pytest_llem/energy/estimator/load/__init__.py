"""The load as a whole: what it returns to, and what of it no reading shows."""
