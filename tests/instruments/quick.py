"""Measurements that are soon over, for tests that do not look at their figures."""

from __future__ import annotations

QUICK = (
    "--llem-set=measurement.windows=2",
    "--llem-set=measurement.window_s=0.05",
    "--llem-set=measurement.warmup_min_s=0.05",
    "--llem-set=measurement.warmup_max_s=0.2",
    "--llem-meter=estimate",
    "--llem-allow-shared",
)
"""Options of a run over functions that need no model."""
