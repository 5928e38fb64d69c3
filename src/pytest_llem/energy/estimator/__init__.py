"""The energy of one device over one window, and how well it is known."""
