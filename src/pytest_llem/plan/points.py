"""Planned invocations of one test function, seen as points."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_llem.config.problems import Problem, shown_value
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.leaves import FIELDS, Leaf, leaves_of
from pytest_llem.plan.markers import MARKER, leaves_of_mark
from pytest_llem.plan.planned import PlannedPoint
from pytest_llem.plan.point import Point
from pytest_llem.plan.possible import DECIDING, why_impossible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_llem._compat import Call
    from pytest_llem.plan.asked import Asked
    from pytest_llem.plan.interception import Interception
    from pytest_llem.plan.rows import Row

_NONE: Mapping[str, str] = MappingProxyType({})


class Points:
    """Makes the points of one function."""

    def __init__(
        self,
        group: str,
        shared: Mapping[str, Leaf],
        seen: Interception,
        asked: Asked,
        directory: Path | None = None,
    ) -> None:
        """Make points on top of the values that are *shared* by all, files beside *directory*."""
        self.problems: dict[str, Problem] = {}
        """Impossible values met so far, by what they say."""
        self._group = group
        self._assembly = Assembly(group, shared, directory)
        self._decided = not DECIDING.isdisjoint(shared)
        self._overridden = asked.overrides.leaves.keys()
        self._own_tokens = seen.own_tokens
        self._ignored = seen.given | seen.empty
        self._empty = ", ".join(sorted(seen.empty))
        self._check_backend = asked.check_backend
        self._of_value: dict[tuple[str, int], dict[str, Leaf | Problem]] = {}
        self._sound: dict[str, dict[int, Leaf]] = {}
        self._sound_ids: set[int] = set()
        self._simple = not (self._decided or self._empty or asked.check_backend(self._backend()))

    def point(self, call: Call | None = None, row: Row | None = None) -> Point:
        """The point of one invocation, and of its row of the grid.

        Without *call*, that of a function without parameters.
        """
        if call is not None and self._simple and not call.marks:
            leaves = self._sound_leaves(call, row)
            if leaves is not None:
                own = self._own_arguments(call) if self._own_tokens else _NONE
                return PlannedPoint.of(self._assembly, call.id, own, leaves)
        return self._looked_at(call, row)

    def _sound_leaves(self, call: Call, row: Row | None) -> tuple[Leaf, ...] | None:
        """What the parameters set, if all of it was met before and nothing speaks against it."""
        found = []
        for name, value in call.params.items():
            known = self._sound.get(name)
            if known is not None:
                leaf = known.get(id(value))
                if leaf is None:
                    return None
                found.append(leaf)
            elif name in FIELDS and name not in self._ignored:
                return None
        if row is not None:
            leaves = row.items.values()
            if not self._sound_ids.issuperset(map(id, leaves)):
                return None
            found += leaves  # type: ignore[arg-type]  # a problem is never sound
        return tuple(found)

    def _remember(self, call: Call, row: Row | None) -> None:
        """Take note of values that no point need be invalid for."""
        for name, value in call.params.items():
            if name in FIELDS and name not in self._ignored:
                items = list(self._of_value.get((name, id(value)), {}).values())
                if len(items) == 1 and isinstance(items[0], Leaf) and self._is_sound(items[0]):
                    self._sound.setdefault(name, {})[id(value)] = items[0]
        for item in row.items.values() if row is not None else ():
            if isinstance(item, Leaf) and self._is_sound(item):
                self._sound_ids.add(id(item))

    def _is_sound(self, leaf: Leaf) -> bool:
        if leaf.path == "backend":
            return self._check_backend(str(leaf.value)) is None
        return leaf.path not in DECIDING

    def _backend(self) -> str:
        return self._assembly.backend({})

    def _looked_at(self, call: Call | None, row: Row | None) -> Point:
        found = self._found(call, row) if call else {}
        own = self._own_arguments(call) if call and self._own_tokens else _NONE
        label = call.id if call else ""
        leaves = tuple([item for item in found.values() if isinstance(item, Leaf)])
        backend = self._assembly.backend(found)
        why: str | None
        if len(leaves) < len(found):
            why = self._note(item for item in found.values() if isinstance(item, Problem))
        else:
            why = self._why_invalid(call, found, leaves, backend)
        if why is not None:
            axes = {path: _plain(item) for path, item in found.items()}
            return Point(self._group, label, None, "", own, axes, why)
        if call is not None:
            self._remember(call, row)
        return PlannedPoint.of(self._assembly, label, own, leaves)

    def _why_invalid(
        self,
        call: Call | None,
        found: Mapping[str, object],
        leaves: Sequence[Leaf],
        backend: str,
    ) -> str | None:
        unknown = self._check_backend(backend)
        if unknown is not None:
            return self._note([unknown])
        if call is not None and self._empty:
            return f"{self._empty}: parametrized without any value"
        if self._decided or not DECIDING.isdisjoint(found):
            return why_impossible(self._assembly.config(leaves))
        return None

    def _note(self, problems: Iterable[Problem]) -> str:
        texts = {str(problem): problem for problem in problems}
        self.problems.update(texts)
        return " ".join(texts)

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
