"""Anchors: two fixed loops, bound by arithmetic and by memory, that no change under test touches."""
