"""Options about the processes that experiments run in; imported by every pytest, so it imports next to nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pytest_llem.runs.limits import LOCK_TIMEOUT_S, TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM = -1
"""Stands for a seed that is yet to be drawn."""


def add_process_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-isolation",
        choices=["auto", "fork-server", "spawn", "container", "none"],
        default="auto",
        help="a process per experiment: forked from a warm one where that is safe, else spawned "
        "(auto, the default; fork-server, which warns), started afresh (spawn), in a container of "
        "the engine's image, or none, for debugging",
    )
    add(
        "--llem-container-runtime",
        choices=["auto", "podman", "docker"],
        help="what runs containers (default: that of the configuration file, or auto)",
    )
    add(
        "--llem-memory-limit",
        metavar="SIZE",
        help="end an experiment whose processes together take more memory (8GiB)",
    )
    add(
        "--llem-repeats",
        type=int,
        default=None,
        metavar="K",
        help="run each experiment in K fresh processes, interleaved, and judge them as one",
    )
    add(
        "--llem-max-repeats",
        type=int,
        default=None,
        metavar="N",
        help="add processes to experiments whose gate is undecided, up to N, and stop at those "
        "that are clear; the error rate is that of looking once",
    )
    add(
        "--llem-shuffle",
        nargs="?",
        type=_seed,
        const=RANDOM,
        metavar="SEED",
        help="shuffle the experiments within each round; without SEED one is drawn and shown",
    )
    add(
        "--llem-timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="SECONDS",
        help="end an experiment that takes longer (default: %(default)g; 0 never)",
    )
    add(
        "--llem-lock-timeout",
        type=float,
        default=LOCK_TIMEOUT_S,
        metavar="SECONDS",
        help="how long an experiment waits for devices that another one measures "
        "(default: %(default)g; 0 fails at once and says who has them)",
    )
    add(
        "--llem-allow-shared",
        action="store_true",
        help="measure also where others use the same devices, and mark the results",
    )


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no seed. Write --llem-shuffle=SEED with a whole number, or "
            "--llem-shuffle alone as the last argument or before another option"
        )
    return int(text)
