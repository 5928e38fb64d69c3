"""What is written from the models: the template, and the JSON Schema."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from pytest_llem.config.documents.yaml import parse_yaml
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.layers.fields import given_in
from pytest_llem.config.layers.layer import layered
from pytest_llem.config.schema import file_schema
from pytest_llem.config.sections import MODELS, model_of
from pytest_llem.config.template import template
from pytest_llem.plan.bare import experiment_of


def config_of(text: str) -> ExperimentConfig:
    return experiment_of(layered(given_in(parse_yaml(text, "llem.yaml"), "project")))


@pytest.mark.parametrize("engines", [(), tuple(MODELS)])
def test_the_template_is_the_defaults_whether_or_not_they_are_commented_out(
    engines: tuple[str, ...],
) -> None:
    commented, active = template(engines), template(engines, active=True)
    assert parse_yaml(commented, "f").value == {}
    uncommented = re.sub(r"(?m)^# (?=\s*[a-z0-9_]+:)", "", commented)
    assert parse_yaml(uncommented, "f").value == parse_yaml(active, "f").value
    assert config_of(active) == config_of(commented) == ExperimentConfig()


def test_the_template_has_every_field_and_its_meaning() -> None:
    text = template(tuple(MODELS), active=True)
    words = " ".join(text.replace("#", "").split())
    value = parse_yaml(text, "f").value
    for name, field in ExperimentConfig.model_fields.items():
        if name != "engine_options":
            assert name in value
            assert " ".join((field.description or "").replace("``", "").split()) in words
    assert value["vllm"].keys() == model_of("vllm").model_fields.keys()


def test_the_schema_accepts_the_template_and_refuses_what_the_models_refuse() -> None:
    schema = file_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(parse_yaml(template(tuple(MODELS), active=True), "f").value)
    validator.validate({"profile": "h100-sxm", "vllm": {"max_num_seqs": 3}})
    wrong: list[dict[str, Any]] = [{"batch_sise": 1}, {"batch_size": 0}, {"vllm": {"x": 1}}]
    assert not [one for one in wrong if validator.is_valid(one)]
