"""What holds for points without standing in their test file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llem.config.layers.layer import Origin
    from pytest_llem.plan.point import Point

ELSEWHERE = frozenset({"user", "project", "environment", "study"})


def given_elsewhere(points: Iterable[Point]) -> list[str]:
    """One line a field of the first point that can be run, with who gave it."""
    first = next((point for point in points if point.invalid is None), None)
    return [] if first is None else _said(first.origins)


def with_origins(reason: str, origins: Mapping[str, Origin]) -> str:
    """*reason* with who gave the fields that it names, where no test did."""
    named = set(re.findall(r"[a-z_0-9]+(?:\.[a-z_0-9]+)?", reason))
    said = _said({path: origin for path, origin in origins.items() if path in named})
    return f"{reason} ({'; '.join(said)})" if said else reason


def _said(origins: Mapping[str, Origin]) -> list[str]:
    return [f"{path} by {one}" for path, one in origins.items() if one.layer in ELSEWHERE]
