"""JSON Schema of a baseline file: ``python -m pytest_llem.baselines.json_schema [DIR]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile
from pytest_llem.baselines.writing import replace_text
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def main(arguments: Sequence[str]) -> int:
    """Write the schema into the directory given, else ``schemas``."""
    path = Path(arguments[0] if arguments else "schemas") / FILE_NAME
    try:
        replace_text(path, f"{json.dumps(json_schema(), indent=2, ensure_ascii=False)}\n")
    except BaselineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
