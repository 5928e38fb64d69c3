"""A study: several experiments, measured together."""

from __future__ import annotations

from pydantic import Field

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.model import Model


class StudyConfig(Model):
    """Experiments that are run and judged together."""

    name: str = Field(default="study", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the study; groups its results and baselines."""
    experiments: tuple[ExperimentConfig, ...] = Field(min_length=1)
    """What is measured, in order."""
    repeats: int = Field(default=1, ge=1, le=1000)
    """Fresh processes per experiment, interleaved."""
