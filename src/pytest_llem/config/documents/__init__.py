"""Files of configuration as they were written: values, and where each stands."""
