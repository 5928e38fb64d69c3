"""What is made of a look at a device before it is kept."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.devices.meter import Facts

T = TypeVar("T", int, float)


def finite(facts: Facts) -> Facts:
    """Facts in which what is no number is unknown."""
    return replace(
        facts,
        temperature_c=_known(facts.temperature_c),
        sm_clock_mhz=_known(facts.sm_clock_mhz),
        power_limit_w=_known(facts.power_limit_w),
    )


def _known(value: T | None) -> T | None:
    return value if value is not None and math.isfinite(value) else None


def foreigners(processes: Iterable[int], own: Iterable[int]) -> tuple[int, ...] | None:
    """Those of a device's processes that are none of *own*; ``None`` if they cannot be told apart.

    Where none of them is known, the device's numbers may be those of another namespace,
    as they are in a container, and the experiment's own may be among them.
    """
    listed, known = set(processes), set(own)
    if listed and not listed & known:
        return None
    return tuple(sorted(listed - known))


def told_apart(facts: Facts, own: set[int]) -> Facts:
    """Facts in which the processes of *own* are told from others."""
    if facts.processes is not None:
        facts = replace(facts, foreign_processes=foreigners(facts.processes, own))
    if facts.graphics_processes is not None:
        drawing = tuple(pid for pid in facts.graphics_processes if pid not in own)
        facts = replace(facts, graphics_processes=drawing)
    return facts
