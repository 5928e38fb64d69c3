"""Combinations that a grid leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.leaves import Leaf, leaf, leaves_of
from pytest_llem.config.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_llem.plan.rows import Row

_ABSENT = object()


@dataclass(slots=True)
class Exclusions:
    """What is left out, as values by path: a combination that has one of each."""

    shared: Mapping[str, Leaf]
    """Values that all points have which say nothing else."""
    of: list[dict[str, list[Any]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def read(cls, given: Iterable[Mapping[str, Any]], shared: Mapping[str, Leaf]) -> Exclusions:
        """The exclusions as they were written; a list is any of its values."""
        found = cls(shared)
        for index, one in enumerate(given):
            values = found._values(one)
            if not values:
                found.problems.append(Problem(f"exclude[{index}]", one, "names no field."))
            found.of.append(values)
        return found

    def hold(self, row: Row, backend: str | None) -> bool:
        """Whether *row* is left out; *backend* is its engine where it does not say itself."""
        own = row.items.get("backend")
        engine = str(getattr(own, "value", "")) if own is not None else backend
        return any(
            all(self._effective(row, path, engine) in values for path, values in one.items())
            for one in self.of
        )

    def _values(self, given: Mapping[str, Any]) -> dict[str, list[Any]]:
        values: dict[str, list[Any]] = {}
        for name, raw in given.items():
            for first in leaves_of(name, raw):
                many = first.value if isinstance(first, Problem) else [first.value]
                found = (
                    [leaf(first.path, one) for one in many]
                    if isinstance(first, Problem) and isinstance(many, list)
                    else [first]
                )
                self.problems += [one for one in found if isinstance(one, Problem)]
                values[first.path] = [one.plain for one in found if isinstance(one, Leaf)]
        return values

    def _effective(self, row: Row, path: str, engine: str | None) -> Any:
        section = path.partition(".")[0]
        if section in ENGINE_SECTIONS and engine is not None and section != engine:
            return _ABSENT
        found = row.items.get(path) or self.shared.get(path)
        if found is None:
            return _default(path)
        return found.plain if isinstance(found, Leaf) else _ABSENT


@cache
def _default(path: str) -> Any:
    plain: Any = ExperimentConfig().model_dump(mode="json")
    for name in path.split("."):
        if not isinstance(plain, dict) or name not in plain:
            return _ABSENT
        plain = plain[name]
    return plain
