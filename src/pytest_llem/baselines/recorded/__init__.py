"""Figures that tests record: how rules are about them, and how they are judged, by differences."""
