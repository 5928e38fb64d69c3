"""Whether a load and its devices have settled."""
