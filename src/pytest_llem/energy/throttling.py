"""Why clocks are lowered: what is how a card is meant to run, and what is not."""

from __future__ import annotations

HARMLESS = frozenset(
    {"gpu_idle", "applications_clocks_setting", "sync_boost", "display_clock_setting"}
    | {"sw_power_cap"}
)
"""Reasons for lowered clocks that are how the card is meant to run: idle between kernels,
clocks that somebody set, and the power limit, which every busy data-centre card meets (and
whose change is noticed apart). The others are heat and hardware brakes: a card that is
slowed by them is not the card of the baseline."""
