"""Options of planning that are about what a dry run shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def add_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-device-memory",
        metavar="[NAME:]SIZE",
        help="in a dry run, tell whether experiments fit into GPUs with so much memory, such as "
        "80GiB or 'NVIDIA L4:24GiB' (default: the devices that are here)",
    )
    add(
        "--llem-plan-json",
        metavar="PATH",
        help="write the plan as JSON, with - to standard output; makes it a dry run",
    )
