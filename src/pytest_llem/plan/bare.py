"""A single experiment from options alone, without a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.leaves import FIELDS

if TYPE_CHECKING:
    from pytest_llem.plan.overrides import Overrides


def bare_experiment(overrides: Overrides) -> ExperimentConfig:
    """The defaults with *overrides* in place of some."""
    values: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    for path, leaf in overrides.leaves.items():
        section, _, name = path.rpartition(".")
        place = sections.setdefault(section, {}) if section else values
        place[name] = leaf.plain
    added = {name: _added(name, sections.pop(name)) for name in sections.keys() - FIELDS}
    return ExperimentConfig.model_validate({**values, **sections, "engine_options": added})


def _added(name: str, options: dict[str, Any]) -> dict[str, Any]:
    from pytest_llem.config.added import model_of_added

    section = model_of_added(name).model_validate(options)
    return section.sparse(section.model_dump(mode="json"))
