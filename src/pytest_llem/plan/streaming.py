"""Points of a grid one after the other, without test items and without keeping them.

What :mod:`pytest_llem.plan.function` makes of ``llem.grid`` for pytest, for grids that nobody should
run: a million points take seconds, and memory for the values of the axes alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_llem.config.problems import shown_value
from pytest_llem.errors import ConfigError
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.leaves import Leaf
from pytest_llem.plan.markers import paths_of
from pytest_llem.plan.planned import PlannedPoint
from pytest_llem.plan.point import Point
from pytest_llem.plan.possible import DECIDING, why_impossible
from pytest_llem.plan.rows import axes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_llem.plan.rows import Axes, Choice

_NO_ARGUMENTS: Mapping[str, str] = MappingProxyType({})
MOST_REASONS = 1000
"""Different reasons for invalid points that are told apart."""
OTHERS = "other reasons"


class GridStream:
    """The points of one grid, in the order of its axes, engine options last."""

    def __init__(self, group: str, axes: Mapping[str, Any], directory: Path | None = None) -> None:
        """Cross *axes*, as ``llem.grid`` is given them; single values are held fixed.

        Files are found from *directory* (default: the current one).

        Raises:
            ConfigError: an axis, or a value that is held fixed, is impossible.
        """
        self._axes: Axes = axes_of(dict(paths_of(axes)), {})
        if self._axes.problems:
            said = "\n".join(f"  {problem}" for problem in self._axes.problems)
            raise ConfigError(f"{group}: this grid cannot be planned\n{said}")
        self._assembly = Assembly(group, self._axes.fixed, directory)
        paths = {*self._axes.common, *self._axes.fixed}
        paths |= {path for own in self._axes.of_engine.values() for path in own}
        self._decided = not DECIDING.isdisjoint(paths)
        self._varies = "backend" in self._axes.common

    def __iter__(self) -> Iterator[Point]:
        """Each point; none is kept."""
        common = list(self._axes.common.values())
        for chosen in product(*common):
            own = self._axes.of_engine.get(self._backend(chosen))
            if own is None:
                yield self._point(chosen)
            else:
                for further in product(*own.values()):
                    yield self._point(chosen + further)

    def _backend(self, chosen: tuple[Choice, ...]) -> str:
        if not self._varies:
            return self._assembly.backend({})
        backend = next(choice.item for choice in chosen if choice.path == "backend")
        return str(getattr(backend, "value", ""))

    def _point(self, chosen: tuple[Choice, ...]) -> Point:
        label = "-".join([choice.token for choice in chosen])
        leaves = tuple([choice.item for choice in chosen if isinstance(choice.item, Leaf)])
        why: str | None = None
        if len(leaves) < len(chosen):
            why = " ".join(str(one.item) for one in chosen if not isinstance(one.item, Leaf))
        elif self._decided:
            why = why_impossible(self._assembly.config(leaves))
        if why is None:
            return PlannedPoint.of(self._assembly, label, _NO_ARGUMENTS, leaves)
        axes = {choice.path: _plain(choice) for choice in chosen}
        return Point(self._assembly.group, label, None, "", {}, axes, why)


def _plain(choice: Choice) -> Any:
    item = choice.item
    return item.plain if isinstance(item, Leaf) else shown_value(item.value)


@dataclass(slots=True)
class Tally:
    """What was counted over a stream of points."""

    points: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    """Points that cannot be run, by reason; rare reasons beyond a thousand are lumped."""
    repeated: int = 0
    """Points that have the identity of an earlier one."""
    first: str | None = None
    """Node id of the first point."""
    last: str | None = None

    @property
    def valid(self) -> int:
        return self.points - self.invalid.total()


def tally(points: Iterable[Point]) -> Tally:
    """Count *points*, which may be many; only what tells identities apart is kept of them."""
    found, seen = Tally(), set[int]()
    point: Point | None = None
    for point in points:
        if not found.points:
            found.first = point.node_id
        found.points += 1
        if point.invalid is None:
            seen.add(int(point.identity, 16))
        else:
            known = point.invalid in found.invalid or len(found.invalid) < MOST_REASONS
            found.invalid[point.invalid if known else OTHERS] += 1
    found.last = None if point is None else point.node_id
    found.repeated = found.valid - len(seen)
    return found
