"""A run as one file that a browser opens: no server, no network, nothing beside it."""
