"""Planned invocations of one test function, seen as points."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_llem._compat import has_empty_id
from pytest_llem.config.leaves import FIELDS, Leaf, leaves_of
from pytest_llem.config.problems import Problem, shown_value
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.given_elsewhere import with_origins
from pytest_llem.plan.markers import MARKER, leaves_of_mark
from pytest_llem.plan.planned import PlannedPoint
from pytest_llem.plan.point import Point
from pytest_llem.plan.possible import DECIDING, why_impossible
from pytest_llem.plan.sound import Sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_llem._compat import Call
    from pytest_llem.config.layers.layer import Layers
    from pytest_llem.plan.asked import Asked
    from pytest_llem.plan.interception import Interception
    from pytest_llem.plan.rows import Row

_NONE: Mapping[str, str] = MappingProxyType({})


class Making:
    """Makes points on top of what all of a group share."""

    def __init__(
        self,
        group: str,
        layers: Layers,
        check_backend: Callable[[str], Problem | None],
        directory: Path | None = None,
    ) -> None:
        """Make points on top of the *layers* that all share, files beside *directory*."""
        self.problems: dict[str, Problem] = {}
        """Impossible values met so far, by what they say."""
        self._group = group
        self._assembly = Assembly(group, layers.leaves, directory, layers.origins)
        self._decided = not DECIDING.isdisjoint(layers.given)
        self._check_backend = check_backend

    def repeat(self, processes: int | None) -> None:
        """Let all points made from now on ask for so many *processes*."""
        self._assembly.repeats = processes

    def make(
        self,
        found: Mapping[str, Leaf | Problem],
        label: str,
        own: Mapping[str, str] = _NONE,
        refused: str | None = None,
        *,
        empty_id: bool = False,
    ) -> Point:
        """The point of what was *found* by path, *refused* for a reason beside its values."""
        leaves = tuple([item for item in found.values() if isinstance(item, Leaf)])
        backend = self._assembly.backend(found)
        why: str | None
        if len(leaves) < len(found):
            why = self._note(item for item in found.values() if isinstance(item, Problem))
        else:
            why = self._why_invalid(found, leaves, backend, refused)
        if why is not None:
            axes = {path: _plain(item) for path, item in found.items()}
            return Point(self._group, label, None, "", own, axes, why, empty_id=empty_id)
        return PlannedPoint.of(self._assembly, label, own, leaves, empty_id=empty_id)

    def _why_invalid(
        self,
        found: Mapping[str, object],
        leaves: Sequence[Leaf],
        backend: str,
        refused: str | None,
    ) -> str | None:
        unknown = self._check_backend(backend)
        if unknown is not None:
            return self._note([unknown])
        if refused is not None:
            return refused
        if self._decided or not DECIDING.isdisjoint(found):
            why = why_impossible(self._assembly.config(leaves))
            return why and with_origins(why, self._assembly.origins(leaves))
        return None

    def _note(self, problems: Iterable[Problem]) -> str:
        texts = {str(problem): problem for problem in problems}
        self.problems.update(texts)
        return " ".join(texts)


class Points(Making):
    """Makes the points of one function."""

    def __init__(
        self,
        group: str,
        layers: Layers,
        seen: Interception,
        asked: Asked,
        directory: Path | None = None,
    ) -> None:
        """Make points on top of the *layers* that all share, files beside *directory*."""
        super().__init__(group, layers, asked.check_backend, directory)
        self._overridden = asked.overrides.leaves.keys()
        self._own_tokens = seen.own_tokens
        self._ignored = seen.given | seen.empty
        empty = ", ".join(sorted(seen.empty))
        self._refused = f"{empty}: parametrized without any value" if empty else None
        self._of_value: dict[tuple[str, int], dict[str, Leaf | Problem]] = {}
        self._sound = Sound(asked.check_backend, self._ignored)
        backend = self._assembly.backend({})
        self._is_simple = not (self._decided or empty or asked.check_backend(backend))

    def point(self, call: Call | None = None, row: Row | None = None) -> Point:
        """The point of one invocation, and of its row of the grid.

        Without *call*, that of a function without parameters.
        """
        if call is None:
            return self.make({}, "")
        own = self._own_arguments(call) if self._own_tokens else _NONE
        empty_id = has_empty_id(call)
        if self._is_simple and not call.marks:
            leaves = self._sound.leaves(call, row)
            if leaves is not None:
                return PlannedPoint.of(self._assembly, call.id, own, leaves, empty_id=empty_id)
        found = self._found(call, row)
        point = self.make(found, call.id, own, self._refused, empty_id=empty_id)
        if point.invalid is None:
            self._remember(call, row)
        return point

    def _remember(self, call: Call, row: Row | None) -> None:
        for name, value in call.params.items():
            if (name, id(value)) in self._of_value:
                self._sound.note(name, value, self._of_value[name, id(value)].values())
        if row is not None:
            self._sound.note_row(row)

    def _found(self, call: Call, row: Row | None) -> Mapping[str, Leaf | Problem]:
        """What the parameters set, by path: marks of parameters first, so that values win."""
        found = self._of_marks(call.marks) if call.marks else {}
        of_value = self._of_value
        for name, value in call.params.items():
            if name in FIELDS and name not in self._ignored:
                key = (name, id(value))  # values live as long as the invocations that hold them
                if key not in of_value:
                    of_value[key] = {item.path: item for item in leaves_of(name, value)}
                found |= of_value[key]
        if row is not None:
            found |= row.items
        return found

    def _of_marks(self, marks: Sequence[pytest.Mark]) -> dict[str, Leaf | Problem]:
        found: dict[str, Leaf | Problem] = {}
        for mark in marks:
            if mark.name == MARKER:
                found |= self._marked(mark)
        return found

    def _marked(self, mark: pytest.Mark) -> dict[str, Leaf | Problem]:
        leaves, problems = leaves_of_mark(mark)
        found: list[Leaf | Problem] = [*leaves, *problems]
        return {item.path: item for item in found if item.path not in self._overridden}

    def _own_arguments(self, call: Call) -> dict[str, str]:
        return {
            name: tokens[call.indices[name]]
            for name, tokens in self._own_tokens.items()
            if name in call.indices
        }


def _plain(item: Leaf | Problem) -> Any:
    if isinstance(item, Leaf):
        return item.plain
    value = item.value
    return value if value is None or isinstance(value, str | int | float) else shown_value(value)
