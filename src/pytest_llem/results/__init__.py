"""What is kept: results, traces, manifests and environments."""
