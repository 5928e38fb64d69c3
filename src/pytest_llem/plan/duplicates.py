"""Points that measure the same thing in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.plan.point import Point


def duplicates(points: Iterable[Point]) -> list[tuple[Point, Point]]:
    """Each point with the earlier one of its group that it repeats.

    Points repeat each other if they have the same identity and are measured the
    same way, on the same device.
    """
    first: dict[tuple[str, str], list[Point]] = {}
    found = []
    for point in points:
        if point.invalid is not None:
            continue
        alike = first.setdefault((point.group, point.identity), [])
        original = next((other for other in alike if _measured_alike(point, other)), None)
        if original is None:
            alike.append(point)
        else:
            found.append((point, original))
    return found


def _measured_alike(one: Point, other: Point) -> bool:
    if one.config is None or other.config is None:
        return False
    return (one.config.measurement, one.config.device) == (
        other.config.measurement,
        other.config.device,
    )
