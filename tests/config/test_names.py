"""The list of field names that needs no model to be loaded."""

from __future__ import annotations

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.names import FIELD_NAMES


def test_the_names_are_those_of_the_model() -> None:
    assert set(ExperimentConfig.model_fields) - {"engine_options"} == FIELD_NAMES
