"""Energy experiments on LLM inference as pytest tests."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from pytest_llem._version import __version__

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.study import StudyConfig
    from pytest_llem.energy.measured import Measured
    from pytest_llem.measure.instrument import Energy
    from pytest_llem.measure.work import Work
    from pytest_llem.plan.grid import grid
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.library import StudyResult, run_experiment, run_study

__all__ = [
    "Energy",
    "ExperimentConfig",
    "ExperimentResult",
    "Measured",
    "StudyConfig",
    "StudyResult",
    "Work",
    "__version__",
    "grid",
    "run_experiment",
    "run_study",
]

_PUBLIC = {
    "ExperimentConfig": "pytest_llem.config.experiment",
    "StudyConfig": "pytest_llem.config.study",
    "Energy": "pytest_llem.measure.instrument",
    "Measured": "pytest_llem.energy.measured",
    "Work": "pytest_llem.measure.work",
    "grid": "pytest_llem.plan.grid",
    "ExperimentResult": "pytest_llem.results.schema",
    "StudyResult": "pytest_llem.runs.library",
    "run_experiment": "pytest_llem.runs.library",
    "run_study": "pytest_llem.runs.library",
}


def __getattr__(name: str) -> Any:
    if name == "llem":  # so that ``from pytest_llem import llem`` gives ``@llem.grid``
        return sys.modules[__name__]
    if name not in _PUBLIC:
        raise AttributeError(f"module 'pytest_llem' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
