"""JSON Schema of a baseline file: ``python -m pytest_llem.baselines.json_schema > FILE``."""

from __future__ import annotations

import json
import sys
from typing import Any

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile

FILE_NAME = f"baseline.v{SCHEMA_VERSION}.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = BaselineFile.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-llem:baseline:v{SCHEMA_VERSION}",
        **schema,
        "title": f"Baselines of a group of experiments (pytest-llem, version {SCHEMA_VERSION})",
        "required": ["schema_version", *schema.get("required", [])],
    }


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(json_schema(), indent=2, ensure_ascii=False)}\n")
