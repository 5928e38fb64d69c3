"""Options about gates and baselines; imported by every pytest, so it imports next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.runs.anchor_option import ANCHORS, ANCHORS_HELP

if TYPE_CHECKING:
    from collections.abc import Callable


def add_gate_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-gate",
        action="append",
        default=[],
        metavar="METRIC:TOLERANCE[@GLOB]",
        help="fail on a regression beyond tolerance (energy_per_output_token_j:5%%, "
        "ttft_s:+20ms@bench/test_chat.py*); off takes a gate away",
    )
    add(
        "--llem-strict",
        action="store_true",
        help="fail also where nothing could be told: inconclusive, incomparable, new",
    )
    add("--llem-update-baselines", action="store_true", help="store this run as the baseline")
    add(
        "--llem-extend-baselines",
        action="store_true",
        help="add this run to the baseline as a further session of the same",
    )
    add(
        "--llem-baseline-from",
        metavar="PATH|REF",
        help="compare with the baselines in another directory or file, or at a git ref (main)",
    )
    add(ANCHORS, choices=["auto", "on", "off"], help=ANCHORS_HELP)
    add("--llem-baselines", metavar="DIR", help="where baselines live (default: ROOT/baselines)")
