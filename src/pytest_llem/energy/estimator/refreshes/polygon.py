"""Convex polygons in the plane: what is left of them by half-planes, and their moments."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Polygon = list[tuple[float, float]]
"""Its corners in order; fewer than three if nothing is left."""


class HalfPlane(NamedTuple):
    """Points with ``a x + b y <= c``."""

    a: float
    b: float
    c: float

    def holds(self, polygon: Polygon) -> bool:
        """Whether all of a polygon is in it."""
        return all(self.a * x + self.b * y <= self.c for x, y in polygon)


def cut(polygon: Polygon, planes: Iterable[HalfPlane]) -> Polygon:
    """What of a polygon lies in all half-planes (Sutherland and Hodgman, CACM 17, 1974)."""
    for a, b, c in planes:
        over = [a * x + b * y - c for x, y in polygon]
        if max(over, default=0.0) <= 0:
            continue
        kept: Polygon = []
        for i, (x, y) in enumerate(polygon):
            before, here = over[i - 1], over[i]
            if (before > 0) != (here > 0):
                share = before / (before - here)
                last_x, last_y = polygon[i - 1]
                kept.append((last_x + share * (x - last_x), last_y + share * (y - last_y)))
            if here <= 0:
                kept.append((x, y))
        polygon = kept
    return polygon


class Moments(NamedTuple):
    """Integrals over an area: of 1, of coordinates, and of their products."""

    area: float = 0.0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0

    @classmethod
    def of(cls, polygon: Polygon) -> Moments:
        """Of a polygon, as the sum of triangles that share its first corner; none if nothing is left."""
        return cls.added(
            _triangle(polygon[0], before, after) for before, after in pairwise(polygon[1:])
        )

    @classmethod
    def added(cls, parts: Iterable[Moments]) -> Moments:
        """Of several areas together."""
        columns: Sequence[Sequence[float]] = list(zip(*parts, strict=True))
        return cls(*map(sum, columns)) if columns else cls()


def _triangle(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> Moments:
    (ax, ay), (bx, by), (cx, cy) = a, b, c
    area = abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2
    x, y = ax + bx + cx, ay + by + cy
    return Moments(
        area,
        area * x / 3,
        area * y / 3,
        area * (x * x + ax * ax + bx * bx + cx * cx) / 12,
        area * (x * y + ax * ay + bx * by + cx * cy) / 12,
        area * (y * y + ay * ay + by * by + cy * cy) / 12,
    )
