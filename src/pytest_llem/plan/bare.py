"""A single experiment from options alone, without a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ExperimentConfig

if TYPE_CHECKING:
    from pytest_llem.plan.overrides import Overrides


def bare_experiment(overrides: Overrides) -> ExperimentConfig:
    """The defaults with *overrides* in place of some."""
    values: dict[str, Any] = {}
    for path, leaf in overrides.leaves.items():
        section, _, name = path.rpartition(".")
        place = values.setdefault(section, {}) if section else values
        place[name] = leaf.plain
    return ExperimentConfig.model_validate(values)
