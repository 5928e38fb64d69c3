"""JSON Schema of a plan: ``python -m pytest_llem.plan.json_schema [DIR]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.plan.document import PLAN_VERSION, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_NAME = f"plan.v{PLAN_VERSION}.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = Plan.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-llem:plan:v{PLAN_VERSION}",
        **schema,
        "title": f"Plan of a session (pytest-llem, version {PLAN_VERSION})",
        "required": ["schema_version", *schema.get("required", [])],
    }


def main(arguments: Sequence[str]) -> int:
    """Write the schema into the directory given, else ``schemas``."""
    path = Path(arguments[0] if arguments else "schemas") / FILE_NAME
    try:
        path.write_text(f"{json.dumps(json_schema(), indent=2, ensure_ascii=False)}\n")
    except OSError as error:
        sys.stderr.write(f"cannot write {path}: {error.strerror or error}\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
