"""What the ``llem`` markers around a test say, the closest winning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.documents.document import Place
from pytest_llem.config.layers.layer import Given, Origin, from_layer
from pytest_llem.config.leaves import Leaf, is_section, leaves_of
from pytest_llem.config.problems import Problem
from pytest_llem.errors import ConfigError
from pytest_llem.plan.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llem.config.study_file import StudyFile


MARKER = "llem"
GATES = "gates"
"""Keyword of the marker that is no field: gates, by metric or as on the command line."""
REPEATS = "repeats"
"""Another: fresh processes of each experiment."""
STUDY: pytest.StashKey[StudyFile] = pytest.StashKey()
"""What a study file says, in the stash of its collector."""
ROUNDS = pytest.StashKey[tuple[str, int]]()
"""Of an item of a study that is shuffled: the study, and its seed."""


@dataclass(slots=True)
class Marked:
    """Markers of a test function, its class and its module, merged."""

    given: list[Given] = field(default_factory=list)
    """Values with where the marker stands, the outermost first."""
    axes: dict[str, Any] = field(default_factory=dict)
    """Axes of ``llem.grid`` as they were written; options of a section by dotted path."""
    exclude: list[Mapping[str, Any]] = field(default_factory=list)
    """Combinations of the axes that are left out."""
    experiments: list[Mapping[str, Any]] = field(default_factory=list)
    """Points beside those of the axes."""
    repeats: int | None = None
    """Fresh processes of each experiment; ``None`` leaves it to the command line."""
    problems: list[Problem] = field(default_factory=list)


def marked(node: pytest.Item) -> Marked:
    """The markers of *node* and of everything around it; sections merge key by key."""
    merged = Marked()
    study = node.parent.stash.get(STUDY, None) if node.parent is not None else None
    for owner, mark in reversed(list(_closest_first(node))):
        leaves, problems = leaves_of_mark(mark)
        if study is None:
            merged.given += from_layer(leaves, Origin("marker", _place(owner)))
        else:
            merged.given += (Given(one, Origin("study", study.place(one.path))) for one in leaves)
        merged.problems += problems
        merged.repeats = _repeats(mark, merged)
        for grid in mark.args:
            if isinstance(grid, Grid):
                merged.axes.update(paths_of(grid.axes))
                merged.exclude += grid.exclude
                merged.experiments += grid.experiments
    return merged


def leaves_of_mark(mark: pytest.Mark) -> tuple[list[Leaf], list[Problem]]:
    """What the keywords of one marker set, and what of them cannot be set."""
    given = {name: raw for name, raw in mark.kwargs.items() if name not in {GATES, REPEATS}}
    found = [leaf for name, raw in given.items() for leaf in leaves_of(name, raw)]
    strange = [value for value in mark.args if not isinstance(value, Grid)]
    problems = [value for value in found if isinstance(value, Problem)]
    problems += [
        Problem(f"marker {MARKER}", value, "takes keywords only, such as batch_size=8.")
        for value in strange
    ]
    return [value for value in found if isinstance(value, Leaf)], problems


def gates_of(node: pytest.Item) -> tuple[str, ...]:
    """Gates of the markers around *node* as ``METRIC:TOLERANCE``, the closest last.

    Raises:
        ConfigError: a marker's gates are neither a mapping nor texts.
    """
    marks = [mark for _, mark in _closest_first(node) if GATES in mark.kwargs]
    return tuple(
        text for mark in reversed(marks) for text in _gate_texts(mark.kwargs[GATES], node.nodeid)
    )


def _repeats(mark: pytest.Mark, merged: Marked) -> int | None:
    """What *mark* says of repeats, else what was said before."""
    if REPEATS not in mark.kwargs:
        return merged.repeats
    given = mark.kwargs[REPEATS]
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return given
    merged.problems.append(Problem(REPEATS, given, "must be a number of processes, 1 or more."))
    return None


def _gate_texts(given: Any, node_id: str) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if isinstance(texts, Mapping):
        items = texts.items()
        wrong = [said for pair in items for said in pair if not isinstance(said, str)]
        texts = [f"{metric}:{tolerance}" for metric, tolerance in items]
    elif isinstance(texts, list | tuple):
        wrong = [said for said in texts if not isinstance(said, str)]
    else:
        wrong = [given]
    if wrong:
        raise ConfigError(
            f"{node_id}: {wrong[0]!r} among the gates of its llem marker is no text. Write "
            'gates={"ttft_s": "+20ms"} or gates=["ttft_s:+20ms"].'
        )
    return list(texts)


def paths_of(axes: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Axes by dotted path: a mapping for a section is one axis for each of its options."""
    for name, given in axes.items():
        if isinstance(given, Mapping) and is_section(name):
            yield from ((f"{name}.{option}", values) for option, values in given.items())
        else:
            yield name, given


def _place(owner: Any) -> Place:
    """Where the marks of a function, a class or a module were written, about."""
    code = getattr(getattr(owner, "obj", None), "__code__", None)
    return Place(owner.nodeid.partition("::")[0], getattr(code, "co_firstlineno", None))


def _closest_first(node: pytest.Item) -> Iterable[tuple[Any, pytest.Mark]]:
    """Owners and marks named ``llem`` from the innermost node outwards, a class before its bases."""
    by_node: dict[int, tuple[Any, list[pytest.Mark]]] = {}
    for owner, mark in node.iter_markers_with_node(MARKER):
        by_node.setdefault(id(owner), (owner, []))[1].append(mark)
    for owner, marks in by_node.values():
        rank = _ranks(owner.obj) if isinstance(owner, pytest.Class) else {}
        nearest = sorted(marks, key=lambda mark, rank=rank: rank.get(id(mark), 0))  # type: ignore[misc]
        yield from ((owner, mark) for mark in nearest)


def _ranks(cls: type) -> dict[int, int]:
    """How far up in the order of its bases each mark of a class was written."""
    ranks: dict[int, int] = {}
    for distance, owner in enumerate(cls.__mro__):
        written = owner.__dict__.get("pytestmark", [])
        for mark in written if isinstance(written, list) else [written]:
            ranks.setdefault(id(getattr(mark, "mark", mark)), distance)
    return ranks
