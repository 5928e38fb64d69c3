"""Exclusive devices: an experiment has what it is measured by to itself while it runs."""
