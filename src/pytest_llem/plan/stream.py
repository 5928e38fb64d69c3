"""The points of a study one after another, for studies that are too large to be held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.layers.layer import Given, Origin, from_layer, layered
from pytest_llem.config.leaves import Leaf, leaves_of
from pytest_llem.errors import ConfigError
from pytest_llem.plan.axes import axes_of
from pytest_llem.plan.exclusions import Exclusions
from pytest_llem.plan.markers import paths_of
from pytest_llem.plan.planned import PlannedPoint
from pytest_llem.plan.points import Making
from pytest_llem.plan.rows import each_row
from pytest_llem.plan.singles import singles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_llem.config.layers.layer import Layers
    from pytest_llem.config.problems import Problem
    from pytest_llem.config.study_file import StudyFile
    from pytest_llem.plan.axes import Axes
    from pytest_llem.plan.overrides import Overrides
    from pytest_llem.plan.point import Point
    from pytest_llem.plan.rows import Row

DEFAULT = ExperimentConfig()
LISTED = 5
"""Points that are named of each kind."""


class StudyPoints:
    """The points that a study has, made when they are asked for.

    They are those that pytest collects, in the order in which the file has them.
    """

    def __init__(
        self,
        study: StudyFile,
        path: Path,
        standing: Layers,
        overrides: Overrides,
        check_backend: Callable[[str], Problem | None],
    ) -> None:
        """Take *study*, which the file at *path* holds.

        Raises:
            ConfigError: an exclusion or a point makes no sense.
        """
        axes = axes_of(_axes_given(study, overrides), overrides.leaves)
        layers = layered([*standing, *_base(study), *_fixed(axes), *overrides.given()])
        singles, problems = singles_of(study.experiments, overrides, None)
        excluded = Exclusions.read(study.exclude, layers.leaves)
        if found := [*axes.problems, *problems, *excluded.problems]:
            raise ConfigError("\n".join(f"{path}: {problem}" for problem in found))
        self.study = study
        self.group = f"{path.as_posix()}::{study.name}"
        self._axes, self._singles, self._excluded = axes, singles, excluded
        engine = layers.leaves.get("backend")
        self._backend = str(engine.value if engine else DEFAULT.backend)
        self._crosses = bool(axes.common or axes.of_engine) or not singles
        self._making = Making(self.group, layers, check_backend, path.parent)
        self._making.repeat(study.repeats)

    def rows(self) -> Iterator[Row]:
        """What each point is made of."""
        if self._crosses:
            backend, excluded = self._backend, self._excluded
            rows = each_row(self._axes, backend)
            yield from (row for row in rows if not (excluded.of and excluded.hold(row, backend)))
        yield from self._singles

    def __iter__(self) -> Iterator[Point]:
        make = self._making.make
        return (make(row.items, row.id) for row in self.rows())

    @property
    def gates(self) -> tuple[str, ...]:
        """What the study gates, as ``METRIC:TOLERANCE``."""
        return tuple(f"{metric}:{given}" for metric, given in self.study.gates.items())

    def axes(self) -> dict[str, list[Any]]:
        """The values of each field that varies, as far as axes make them."""
        crossed = [self._axes.common, *self._axes.of_engine.values()]
        items = (
            item
            for choices in chain.from_iterable(one.values() for one in crossed)
            for choice in choices
            for item in choice.items.values()
        )
        found: dict[str, dict[str, Any]] = {}
        for item in items:
            if isinstance(item, Leaf):
                found.setdefault(item.path, {})[item.text] = item.plain
        return {path: list(values.values()) for path, values in found.items()}


def _axes_given(study: StudyFile, overrides: Overrides) -> Mapping[str, Any]:
    given = dict(paths_of(study.sweep))
    if len(overrides.backends) > 1:
        given = {"backend": [], **given}
        given["backend"] = list(overrides.backends)
    return given


def _base(study: StudyFile) -> Iterator[Given]:
    for name, raw in study.base.items():
        for leaf in leaves_of(name, raw):
            if isinstance(leaf, Leaf):  # the file was checked
                yield Given(leaf, Origin("study", study.place(leaf.path)))


def _fixed(axes: Axes) -> Iterable[Given]:
    return from_layer(axes.fixed.values(), Origin("study"))


@dataclass(slots=True)
class Tally:
    """What there is in a stream of points."""

    points: int = 0
    processes: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    """By reason."""
    duplicates: int = 0
    first: dict[str, list[str]] = field(default_factory=dict)
    """Node ids of the first of each kind: ``invalid`` and ``duplicate``."""
    edge: list[str] = field(default_factory=list)
    """Node ids of the very first and the last."""

    def note(self, kind: str, point: Point) -> None:
        """Remember a point by name, if there are few yet."""
        known = self.first.setdefault(kind, [])
        if len(known) < LISTED:
            known.append(point.node_id)


def tally(points: Iterable[Point], repeats: int | None = None) -> Tally:
    """Count *points*, each of *repeats* processes where that is given."""
    found = Tally()
    seen: set[object] = set()
    point = None
    for point in points:
        if not found.points:
            found.edge.append(point.node_id)
        found.points += 1
        if point.invalid is not None:
            found.invalid[point.invalid] += 1
            found.note("invalid", point)
            continue
        found.processes += point.processes(repeats)
        key = _key(point)
        if key in seen:
            found.duplicates += 1
            found.note("duplicate", point)
        seen.add(key)
    if point is not None:
        found.edge.append(point.node_id)
    return found


def _key(point: Point) -> object:
    """Equal for points that measure the same thing in the same way, and small."""
    identity = int(point.identity, 16)
    how = [
        leaf.text
        for leaf in (point.leaves if isinstance(point, PlannedPoint) else ())
        if leaf.section == "measurement" or leaf.path == "device"
    ]
    return (identity, *how) if how else identity
