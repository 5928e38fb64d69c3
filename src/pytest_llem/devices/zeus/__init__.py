"""Whatever Zeus sees."""
