"""Points that measure the same thing in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.plan.planned import PlannedPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.config.leaves import Leaf
    from pytest_llem.plan.point import Point


def duplicates(points: Iterable[Point]) -> list[tuple[Point, Point]]:
    """Each point with the earlier one of its group that it repeats.

    Points repeat each other if they have the same identity and are measured the
    same way, on the same device.
    """
    points = [point for point in points if point.invalid is None]
    if all_differ(points):
        return []
    first: dict[tuple[str, str], list[Point]] = {}
    found = []
    for point in points:
        alike = first.setdefault((point.group, point.identity), [])
        original = next((other for other in alike if _measured_alike(point, other)), None)
        if original is None:
            alike.append(point)
        else:
            found.append((point, original))
    return found


def all_differ(points: Sequence[Point]) -> bool:
    """Whether no two of *points* can be alike, as far as a look at their values tells.

    That is so if all are of one function and have values of the same fields, no section's
    among them, and no two have the same ones throughout.
    """
    planned = [point for point in points if isinstance(point, PlannedPoint)]
    if not planned or len(planned) < len(points):
        return False
    if len({id(point.assembly) for point in planned}) > 1 or planned[0].own_arguments:
        return False
    rows = [point.leaves for point in planned]
    if len({len(row) for row in rows}) > 1 or len(set(rows)) < len(rows):
        return False
    return all(map(_tell_apart, zip(*rows, strict=True)))


def _tell_apart(column: Iterable[Leaf]) -> bool:
    """Whether these are values of one field, and unlike wherever they are not the same."""
    leaves = set(column)
    texts, paths = {leaf.text for leaf in leaves}, {leaf.path for leaf in leaves}
    return len(texts) == len(leaves) and len(paths) == 1 and not any("." in path for path in paths)


def _measured_alike(one: Point, other: Point) -> bool:
    if one.config is None or other.config is None:
        return False
    return (one.config.measurement, one.config.device) == (
        other.config.measurement,
        other.config.device,
    )
