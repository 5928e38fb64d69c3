"""Layers of configuration: who may say what an experiment is, the later winning."""
