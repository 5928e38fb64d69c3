"""The JSON Schema of ``llem.yaml`` and of what ``[tool.llem]`` says of fields."""

from __future__ import annotations

from typing import Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.layers.project import PROFILE

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def file_schema() -> dict[str, Any]:
    """The schema, for editors and validators. Sections of other distributions are not in it."""
    schema = ExperimentConfig.model_json_schema(mode="validation")
    fields = {name: of for name, of in schema["properties"].items() if name != "engine_options"}
    fields[PROFILE] = {
        "description": "System profile, by name or path, in place of that of the devices found.",
        "minLength": 1,
        "type": "string",
    }
    return {
        "$schema": DIALECT,
        "title": "pytest-llem, defaults of experiments",
        "description": "Fields of every experiment of a project or a user: llem.yaml.",
        "type": "object",
        "additionalProperties": False,
        "properties": fields,
        "$defs": schema["$defs"],
    }
