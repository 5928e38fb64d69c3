"""Ways in which power may run between readings, and what each makes of an energy."""
