"""JSON Schemas of the stored documents: ``python -m pytest_llem.results.json_schema [DIR]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from pytest_llem.errors import StoreError
from pytest_llem.results.cost import COST_VERSION, CostReport
from pytest_llem.results.diagnosis import DIAGNOSIS_VERSION, Diagnosis
from pytest_llem.results.environment import ENVIRONMENT_VERSION, Environment
from pytest_llem.results.events import EVENT, LOG_VERSION
from pytest_llem.results.files import explained, replaced
from pytest_llem.results.kept_reports import REPORTS_VERSION, KeptReports
from pytest_llem.results.manifest import MANIFEST_VERSION, Manifest
from pytest_llem.results.schema import SCHEMA_VERSION, ExperimentResult
from pytest_llem.results.transitions import JOURNAL_VERSION, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.results.schema import Stored

_DOCUMENTS: dict[str, tuple[type[Stored], int, str]] = {
    "result": (ExperimentResult, SCHEMA_VERSION, "Result of an experiment"),
    "manifest": (Manifest, MANIFEST_VERSION, "Manifest of a run"),
    "environment": (Environment, ENVIRONMENT_VERSION, "Environment of a run"),
    "journal": (Transition, JOURNAL_VERSION, "Line of a run's journal"),
    "reports": (KeptReports, REPORTS_VERSION, "Reports of an experiment's process"),
    "cost": (CostReport, COST_VERSION, "What experiments took, by llem cost --json"),
    "diagnosis": (Diagnosis, DIAGNOSIS_VERSION, "What llem doctor found out"),
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each stored document, by the name of its file; of a log, that of a line."""
    documents = {
        f"{name}.v{version}.schema.json": _schema(name, model, version, title)
        for name, (model, version, title) in _DOCUMENTS.items()
    }
    return {**documents, f"log.v{LOG_VERSION}.schema.json": _log_schema()}


def _schema(name: str, model: type[Stored], version: int, title: str) -> dict[str, Any]:
    schema = model.model_json_schema(mode="serialization", schema_generator=_WithoutFieldTitles)
    return {
        "$schema": _DIALECT,
        "$id": f"urn:pytest-llem:{name}:v{version}",
        **schema,
        "title": f"{title} (pytest-llem, version {version})",
        "required": ["schema_version", *schema.get("required", [])],
    }


def _log_schema() -> dict[str, Any]:
    schema = EVENT.json_schema(mode="serialization", schema_generator=_WithoutFieldTitles)
    for line in schema["$defs"].values():
        if "event" in line["properties"]:
            line["required"] = ["schema_version", *line["required"]]
    return {
        "$schema": _DIALECT,
        "$id": f"urn:pytest-llem:log:v{LOG_VERSION}",
        **schema,
        "title": f"Line of a run's log (pytest-llem, version {LOG_VERSION})",
    }


class _WithoutFieldTitles(GenerateJsonSchema):
    """Leaves out titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False


def write_schemas(directory: Path) -> list[Path]:
    """Write all schemas into *directory* and return their files.

    Raises:
        StoreError: it cannot be written.
    """
    with explained("create", directory):
        directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in json_schemas().items():
        with replaced(directory / name) as file:
            file.write(json.dumps(schema, indent=2, ensure_ascii=False).encode() + b"\n")
        written.append(directory / name)
    return written


def main(arguments: Sequence[str]) -> int:
    """Write the schemas into the directory given, else ``schemas``."""
    try:
        written = write_schemas(Path(arguments[0] if arguments else "schemas"))
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in written)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
