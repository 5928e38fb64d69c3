"""Options of planning: what is measured, and what a dry run shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def add_plan_options(add: Callable[..., None]) -> None:
    """Add them with *add*, which is ``addoption`` of a group."""
    add(
        "--llem-backend",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        help="engine to measure; several multiply the grid",
    )
    add("--llem-model", metavar="MODEL", help="built-in model, local folder or hub id to measure")
    add(
        "--llem-set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="override a field of every experiment (vllm.max_num_seqs=64, measurement.windows=9)",
    )
    add("--llem-dry-run", action="store_true", help="show the grid; load and measure nothing")
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
