"""Meters, one a file: they read devices and integrate nothing."""
