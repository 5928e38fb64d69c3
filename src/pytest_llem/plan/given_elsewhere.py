"""What holds for a group of points without standing in its test file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.plan.point import Point

ELSEWHERE = frozenset({"user", "project", "environment", "study"})


def given_elsewhere(points: Iterable[Point]) -> list[str]:
    """One line a field of the first point that can be run, with who gave it."""
    first = next((point for point in points if point.invalid is None), None)
    if first is None:
        return []
    return [
        f"{path} by {origin}" for path, origin in first.origins.items() if origin.layer in ELSEWHERE
    ]
