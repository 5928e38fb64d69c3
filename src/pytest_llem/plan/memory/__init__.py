"""How much memory an experiment takes, told from its model's ``config.json`` alone."""
