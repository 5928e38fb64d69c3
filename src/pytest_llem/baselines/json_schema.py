"""JSON Schemas of a baseline file, of a run's verdicts and of its summary: ``python -m pytest_llem.baselines.json_schema [DIR]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile
from pytest_llem.baselines.kept import VERDICTS_VERSION, Verdicts
from pytest_llem.baselines.run_summary import SUMMARY_VERSION, RunSummary
from pytest_llem.baselines.writing import replace_text
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.results.schema import Stored

FILE_NAME = f"baseline.v{SCHEMA_VERSION}.schema.json"
VERDICTS_FILE_NAME = f"verdicts.v{VERDICTS_VERSION}.schema.json"
SUMMARY_FILE_NAME = f"summary.v{SUMMARY_VERSION}.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema of a baseline file, draft 2020-12."""
    return _schema(BaselineFile, "baseline", SCHEMA_VERSION, "Baselines of a group of experiments")


def verdicts_schema() -> dict[str, Any]:
    """That of a run's verdicts."""
    return _schema(Verdicts, "verdicts", VERDICTS_VERSION, "Verdicts of a run")


def summary_schema() -> dict[str, Any]:
    """That of a run in brief, as ``--llem-export=json:PATH`` writes it."""
    return _schema(RunSummary, "summary", SUMMARY_VERSION, "Summary of a run")


def _schema(model: type[Stored], name: str, version: int, title: str) -> dict[str, Any]:
    schema = model.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-llem:{name}:v{version}",
        **schema,
        "title": f"{title} (pytest-llem, version {version})",
        "required": ["schema_version", *schema.get("required", [])],
    }


def main(arguments: Sequence[str]) -> int:
    """Write the schemas into the directory given, else ``schemas``."""
    directory = Path(arguments[0] if arguments else "schemas")
    schemas = {
        FILE_NAME: json_schema(),
        VERDICTS_FILE_NAME: verdicts_schema(),
        SUMMARY_FILE_NAME: summary_schema(),
    }
    for name, schema in schemas.items():
        try:
            replace_text(directory / name, f"{json.dumps(schema, indent=2, ensure_ascii=False)}\n")
        except BaselineError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        sys.stdout.write(f"{directory / name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
