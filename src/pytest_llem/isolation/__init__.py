"""One experiment, one process: wire, supervisor, child, launchers."""
