"""Engines that can be meant: those with a section, and those that something here brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from pytest_llem.config.problems import Problem


class Backends:
    """Looks for other engines than those with a section once one is named: it takes a moment."""

    def __init__(self, others: Callable[[], Collection[str]]) -> None:
        """*others* names the engines that exist beside those with a section."""
        self._others = others
        self._problems: dict[str, Problem | None] = {}

    def problem(self, name: str) -> Problem | None:
        """Why *name* is no engine, with the nearest that is one."""
        if name not in self._problems:
            self._problems[name] = self._problem(name)
        return self._problems[name]

    def first_problem(self, names: Iterable[str]) -> Problem | None:
        """That of the first of *names* which is no engine."""
        return next(filter(None, map(self.problem, names)), None)

    def _problem(self, name: str) -> Problem | None:
        from pytest_llem.config.experiment import ENGINE_SECTIONS
        from pytest_llem.config.problems import unknown_value

        if name in ENGINE_SECTIONS:
            return None
        known = {*ENGINE_SECTIONS, *self._others()}
        return None if name in known else unknown_value("backend", name, known, "engine")
