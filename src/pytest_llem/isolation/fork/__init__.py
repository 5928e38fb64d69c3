"""Experiments as forks of a warm pytest: a server, a host a test file, and a fork each."""
