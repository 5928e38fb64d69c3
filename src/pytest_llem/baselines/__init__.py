"""Baseline files, fingerprints, statistics and the verdict."""
