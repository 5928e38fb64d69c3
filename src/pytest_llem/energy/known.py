"""Sums and means of what may be unknown: of any part unknown, all of it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

Value = TypeVar("Value")


def all_known(values: Iterable[Value | None]) -> list[Value] | None:
    """*values* as they are; ``None`` where one of them is unknown, or there are none."""
    found = list(values)
    known = [value for value in found if value is not None]
    return known if known and len(known) == len(found) else None


def known_sum(values: Iterable[float | None]) -> float | None:
    """Their sum; ``None`` as of :func:`all_known`."""
    known = all_known(values)
    return None if known is None else math.fsum(known)


def known_mean(values: Iterable[float | None]) -> float | None:
    """Their mean; ``None`` as of :func:`all_known`."""
    known = all_known(values)
    return None if known is None else math.fsum(known) / len(known)


def known_hypot(values: Iterable[float | None]) -> float | None:
    """The root of the sum of their squares; ``None`` as of :func:`all_known`."""
    known = all_known(values)
    return None if known is None else math.hypot(*known)
