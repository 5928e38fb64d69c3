"""The plan of one test function, made while pytest generates its tests."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem import _compat
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.layers.layer import Origin, from_layer, layered
from pytest_llem.config.leaves import FIELDS, SECTIONS, Leaf
from pytest_llem.config.problems import ABSENT, Problem
from pytest_llem.config.sections import engine_called
from pytest_llem.plan.axes import Axes, axes_of
from pytest_llem.plan.detection import offers_model
from pytest_llem.plan.duplicates import duplicates
from pytest_llem.plan.exclusions import Exclusions
from pytest_llem.plan.interception import Interception
from pytest_llem.plan.markers import marked
from pytest_llem.plan.only import begins, wanted_id
from pytest_llem.plan.points import Points
from pytest_llem.plan.rows import Row, rows_of
from pytest_llem.plan.singles import singles_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_llem.config.layers.layer import Layers
    from pytest_llem.plan.asked import Asked
    from pytest_llem.plan.point import Point

    Planned = tuple[_compat.Call | None, Point]

MOST_PROBLEMS = 10


class FunctionPlan:
    """Turns the parametrization of one function into points, one for each of its items."""

    def __init__(self, metafunc: pytest.Metafunc, asked: Asked) -> None:
        self._metafunc = metafunc
        self._asked = asked
        self._group = metafunc.definition.nodeid
        self._only = wanted_id(asked.only, self._group)
        self._marked = marked(metafunc.definition)
        self._rows: dict[int, Row] = {}
        self._keep_model = offers_model(metafunc)
        self._seen = Interception(
            metafunc, asked.overrides, keep_model=self._keep_model, after=self._prune
        )

    def finish(self) -> list[Planned]:
        """Add the grid, and give the point of every invocation.

        Raises:
            pytest.Collector.CollectError: a marker, an axis or a value is impossible.
        """
        axes = axes_of(self._axes_given(), self._asked.overrides.leaves)
        self._refuse([*self._marked.problems, *axes.problems, *self._conflicts(axes)])
        layers = self._layers(axes)
        shared = layers.leaves
        self._add_rows(axes, shared)
        self._select(axes, shared)
        return self._points(layers)

    def _layers(self, axes: Axes) -> Layers:
        """All that is the same for each point; what varies comes above it, point by point."""
        return layered(
            [
                *self._asked.standing,
                *self._marked.given,
                *from_layer(axes.fixed.values(), Origin("parameter", by="llem.grid")),
                *self._asked.overrides.given(),
            ]
        )

    def _axes_given(self) -> Mapping[str, Any]:
        backends = self._asked.overrides.backends
        if len(backends) <= 1 or "backend" in self._seen.names:
            return self._marked.axes
        first = {} if "backend" in self._marked.axes else {"backend": list(backends)}
        given = first | self._marked.axes
        given["backend"] = list(backends)
        return given

    def _conflicts(self, axes: Axes) -> Iterable[Problem]:
        left = axes.names & self._seen.names
        for path, raw in self._marked.axes.items():
            name = path.partition(".")[0]
            if name in left:
                left.discard(name)
                yield Problem(path, raw, "is in llem.grid and parametrized too.")
        for name in sorted(left):  # set by a group, which has a name of its own
            yield Problem(name, ABSENT, "is in llem.grid and parametrized too.")

    def _refuse(self, problems: Sequence[Problem]) -> None:
        if not problems:
            return
        lines = [f"  {problem}" for problem in problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"  and {len(problems) - MOST_PROBLEMS} more")
        text = "\n".join([f"{self._group}: this experiment cannot be planned", *lines])
        raise pytest.Collector.CollectError(text)

    def _add_rows(self, axes: Axes, shared: Mapping[str, Leaf]) -> None:
        """Parametrize with the grid, and give arguments named like a field their value."""
        names = self._taken(axes)
        crosses = bool(axes.common or axes.of_engine)
        if not (crosses or names or self._marked.experiments):
            return
        rows = self._grid_rows(axes, shared, crosses=crosses)
        if not rows:
            return
        hidden = pytest.HIDDEN_PARAM
        self._seen.add(
            names,
            [pytest.param(*_arguments(names, row, shared), id=row.id or hidden) for row in rows],
        )
        calls = _compat.calls_of(self._metafunc)  # each earlier one crossed with all rows
        self._rows = {id(call): row for call, row in zip(calls, itertools.cycle(rows))}

    def _grid_rows(self, axes: Axes, shared: Mapping[str, Leaf], *, crosses: bool) -> list[Row]:
        """What the axes cross, less what is excluded, and the points written out one by one."""
        marked, wanted, backend = self._marked, self._still_wanted(), self._backend(shared)
        excluded = Exclusions.read(marked.exclude, shared)
        singles, problems = singles_of(marked.experiments, self._asked.overrides, wanted)
        crossed = rows_of(axes, backend, wanted) if crosses or not marked.experiments else []
        kept = [row for row in crossed if not (excluded.of and excluded.hold(row, backend))]
        if crossed and not kept and not singles:
            problems.append(Problem("exclude", ABSENT, "leaves no point of the grid."))
        taken = {row.id for row in kept} & {row.id for row in singles}
        problems += [Problem(one, ABSENT, "names two points of the grid.") for one in taken]
        self._refuse([*excluded.problems, *problems])
        return [*kept, *singles]

    def _taken(self, axes: Axes) -> list[str]:
        """Fields that the function, or a fixture of it, takes as arguments and nobody gives."""
        gridded = axes.names
        return [
            name
            for name in self._metafunc.fixturenames
            if name in FIELDS
            and name not in self._seen.names
            and not (name == "model" and self._keep_model)
            and (name in gridded or not _compat.fixtures_of(self._metafunc, name))
        ]

    def _backend(self, shared: Mapping[str, Leaf]) -> str | None:
        """The engine that is the same for all, or ``None`` if a parameter varies it."""
        if "backend" in self._seen.names:
            return None
        if "backend" in shared:
            return str(shared["backend"].value)
        return str(ExperimentConfig.model_fields["backend"].default)

    def _select(self, axes: Axes, shared: Mapping[str, Leaf]) -> None:
        """Drop rows whose engine options belong to another engine than a parameter's."""
        if axes.of_engine and self._backend(shared) is None:
            engines = set(axes.of_engine)
            calls = _compat.calls_of(self._metafunc)
            kept = (call for call in calls if _own_engine(call, self._rows[id(call)], engines))
            _compat.set_calls(self._metafunc, kept)
        if self._only is not None:
            calls = _compat.calls_of(self._metafunc)
            _compat.set_calls(self._metafunc, (call for call in calls if call.id == self._only))

    def _points(self, layers: Layers) -> list[Planned]:
        points = Points(
            self._group,
            layers,
            self._seen,
            self._asked,
            self._metafunc.definition.path.parent,
        )
        points.repeat(self._marked.repeats)
        calls = _compat.calls_of(self._metafunc)
        row_of = self._rows.get
        planned: list[Planned]
        planned = [(call, points.point(call, row_of(id(call)))) for call in calls]
        planned = planned or [(None, points.point())]
        if not self._asked.list_problems:
            self._refuse(list(points.problems.values()))
        if self._may_repeat() and self._only is None and calls:
            planned = _collapsed(planned)
            _compat.set_calls(self._metafunc, (call for call, _ in planned if call is not None))
        return planned

    def _may_repeat(self) -> bool:
        """Whether options may have made points equal that were written as different ones."""
        overrides = self._asked.overrides
        singles = bool(overrides.leaves and self._marked.experiments)
        return self._seen.replaced or bool(overrides.backends) or singles

    def _prune(self) -> None:
        """Drop, in a child, what can no longer become its own item."""
        wanted = self._only
        if wanted is not None:
            calls = _compat.calls_of(self._metafunc)
            kept = (call for call in calls if begins(call.id, wanted))
            _compat.set_calls(self._metafunc, kept)

    def _still_wanted(self) -> Callable[[str], bool] | None:
        wanted = self._only
        if wanted is None:
            return None
        calls = _compat.calls_of(self._metafunc)
        rests = {wanted.removeprefix(call.id and f"{call.id}-") for call in calls} or {wanted}
        return lambda beginning: any(begins(beginning, rest) for rest in rests)


def _arguments(names: list[str], row: Row, shared: Mapping[str, Leaf]) -> list[Any]:
    """Effective values of *names* in *row*; a section is a mapping of the options given."""
    if not names:
        return []
    items = {**shared, **row.items}
    return [_argument(name, items) for name in names]


def _argument(name: str, items: Mapping[str, Leaf | Problem]) -> Any:
    if name in SECTIONS:
        dotted = f"{name}."
        return {
            path.removeprefix(dotted): item.value
            for path, item in items.items()
            if path.startswith(dotted)
        }
    return items[name].value if name in items else ExperimentConfig.model_fields[name].default


def _own_engine(call: _compat.Call, row: Row, engines: set[str]) -> bool:
    backend = engine_called(str(call.params.get("backend")))
    if row.engine is None:
        return backend not in engines
    return row.engine == backend


def _collapsed(planned: list[Planned]) -> list[Planned]:
    """*planned* less the points that options made equal to an earlier one."""
    repeated = {id(point) for point, _ in duplicates(point for _, point in planned)}
    return [(call, point) for call, point in planned if id(point) not in repeated]
