"""JSON Schemas of the stored documents: ``python -m pytest_llem.results.json_schema [DIR]``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pytest_llem.config.document_schema import (
    WithoutFieldTitles,
    document_schema,
    file_name,
    main,
    titled,
)
from pytest_llem.results.cost import COST_VERSION, CostReport
from pytest_llem.results.diagnosis import DIAGNOSIS_VERSION, Diagnosis
from pytest_llem.results.environment import ENVIRONMENT_VERSION, Environment
from pytest_llem.results.events import EVENT, LOG_VERSION
from pytest_llem.results.kept_reports import REPORTS_VERSION, KeptReports
from pytest_llem.results.manifest import MANIFEST_VERSION, Manifest
from pytest_llem.results.schema import SCHEMA_VERSION, ExperimentResult
from pytest_llem.results.transitions import JOURNAL_VERSION, Transition

if TYPE_CHECKING:
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


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each stored document, by the name of its file; of a log, that of a line."""
    documents = {
        file_name(name, version): document_schema(model, name, version, title)
        for name, (model, version, title) in _DOCUMENTS.items()
    }
    return {**documents, file_name("log", LOG_VERSION): _log_schema()}


def _log_schema() -> dict[str, Any]:
    schema = EVENT.json_schema(mode="serialization", schema_generator=WithoutFieldTitles)
    for line in schema["$defs"].values():
        if "event" in line["properties"]:
            line["required"] = ["schema_version", *line["required"]]
    return titled(schema, "log", LOG_VERSION, "Line of a run's log")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], json_schemas()))
