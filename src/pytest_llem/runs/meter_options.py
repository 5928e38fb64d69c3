"""Options about what reads the energy; imported by every pytest, so it imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def add_meter_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-meter",
        default="auto",
        metavar="NAME[,NAME]",
        help="what reads the energy: auto (default), nvml, zeus, rapl, codecarbon, estimate, "
        "replay:FILE; several stand beside each other",
    )
    add(
        "--llem-require",
        choices=["measured"],
        help="fail the run unless energy is measured rather than estimated",
    )
    add(
        "--llem-cpu-watts",
        type=float,
        metavar="WATTS",
        help="declared watts per busy core, for the estimate meter",
    )
