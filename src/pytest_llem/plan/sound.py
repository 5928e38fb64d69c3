"""Values that make no point invalid, remembered so that they are looked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.config.leaves import FIELDS, Leaf
from pytest_llem.plan.possible import DECIDING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pytest_llem._compat import Call
    from pytest_llem.config.problems import Problem
    from pytest_llem.plan.rows import Row


class Sound:
    """The sound values among the parameters of one function and the rows of its grid."""

    def __init__(
        self, check_backend: Callable[[str], Problem | None], ignored: Collection[str]
    ) -> None:
        """Know no value yet; parameters named in *ignored* are none of a field."""
        self._check_backend = check_backend
        self._ignored = ignored
        self._by_name: dict[str, dict[int, Leaf]] = {}
        self._ids: set[int] = set()

    def leaves(self, call: Call, row: Row | None) -> tuple[Leaf, ...] | None:
        """What an invocation and its row set; ``None`` if some of it has to be looked at."""
        found = []
        for name, value in call.params.items():
            known = self._by_name.get(name)
            if known is not None:
                leaf = known.get(id(value))
                if leaf is None:
                    return None
                found.append(leaf)
            elif name in FIELDS and name not in self._ignored:
                return None
        if row is not None:
            leaves = row.items.values()
            if not self._ids.issuperset(map(id, leaves)):
                return None
            found += leaves  # type: ignore[arg-type]  # a problem is never sound
        return tuple(found)

    def note(self, name: str, value: object, items: Collection[Leaf | Problem]) -> None:
        """Take note of a parameter's *value*, which sets *items* and lives as long as this."""
        for item in items if len(items) == 1 else ():
            if self._is_sound(item):
                self._by_name.setdefault(name, {})[id(value)] = item  # type: ignore[assignment]

    def note_row(self, row: Row) -> None:
        """Take note of the values of a row."""
        self._ids.update(id(item) for item in row.items.values() if self._is_sound(item))

    def _is_sound(self, item: Leaf | Problem) -> bool:
        if not isinstance(item, Leaf):
            return False
        if item.path == "backend":
            return self._check_backend(str(item.value)) is None
        return item.path not in DECIDING
