"""Models that come with pytest-llem: built here, byte for byte the same everywhere."""
