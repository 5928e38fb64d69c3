"""Study files as pytest sees them: each a module with one parametrized experiment."""

from __future__ import annotations

import random
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.study_file import read_study
from pytest_llem.errors import ConfigError
from pytest_llem.plan.grid import Grid
from pytest_llem.plan.markers import ROUNDS, STUDY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llem.config.study_file import StudyFile


class Study(pytest.Module):
    """A study file. Its one function is made of what the file says."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """The experiments of the study, in the order of its first round.

        Raises:
            pytest.Collector.CollectError: the file is no study, with line and column.
        """
        try:
            study = read_study(self.path)
        except ConfigError as error:
            raise self.CollectError(str(error)) from None
        except FileNotFoundError:
            raise self.CollectError(f"{self.path} is gone.") from None
        self.stash[STUDY] = study
        self._name = study.name
        self.obj = _module_of(study, str(self.path))
        items = [*super().collect()]
        for item in items:
            if isinstance(item, pytest.Item):  # it stands in the file, not in this module
                where = self.path, 0, item.name
                item.reportinfo = lambda where=where: where  # type: ignore[method-assign,misc]
        if study.shuffle_seed is None:
            return items
        for item in items:
            item.stash[ROUNDS] = (self.nodeid, study.shuffle_seed)
        random.Random(f"{study.shuffle_seed}/0").shuffle(items)  # noqa: S311 - no secret
        return items

    def funcnamefilter(self, name: str) -> bool:
        """The study's own function is its test, whatever ``python_functions`` says."""
        return name == self._name

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - of pytest's signature
        return False


def _module_of(study: StudyFile, file: str) -> ModuleType:
    module = ModuleType(study.name)
    module.__file__ = file
    setattr(module, study.name, _function_of(study))
    return module


def _function_of(study: StudyFile) -> Callable[..., Any]:
    def measured(energy: Any, model: Any) -> None:
        energy.measure(model)

    measured.__name__ = measured.__qualname__ = study.name
    asked: dict[str, Any] = dict(study.base)
    if study.gates:
        asked["gates"] = dict(study.gates)
    if study.repeats is not None:
        asked["repeats"] = study.repeats
    grid = Grid(study.sweep, study.exclude, study.experiments)
    function = pytest.mark.llem(**asked)(measured)
    marked: Callable[..., Any] = pytest.mark.llem.with_args(grid)(function)
    return marked
