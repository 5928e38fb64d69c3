"""Options of what a person reads; imported wherever pytest starts, so it imports nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def add_report_options(add: Callable[..., None]) -> None:
    """Declare them by *add*, which is ``addoption`` of pytest's group."""
    add(
        "--llem-columns",
        action="append",
        default=[],
        metavar="NAMES",
        help="columns of the summary: energy, tokens/s, change or any metric (ttft_s), with "
        "commas between; +NAME adds one to the usual, -NAME leaves one out (write =-NAME)",
    )
    add(
        "--llem-sort",
        action="append",
        default=[],
        metavar="KEYS",
        help="order of the summary: worst (default), run, name, energy, change, uncertainty, "
        "wall_s or any metric; -KEY the other way round (write =-KEY)",
    )
    add(
        "--llem-group-by",
        action="append",
        default=[],
        metavar="FIELDS",
        help="headings of the summary: test (default), file, verdict, none, or any field "
        "(batch_size, vllm.max_num_seqs)",
    )
