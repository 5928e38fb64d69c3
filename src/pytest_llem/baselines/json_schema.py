"""JSON Schemas of baselines, verdicts and summaries: ``python -m pytest_llem.baselines.json_schema [DIR]``."""

from __future__ import annotations

import sys
from typing import Any

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile
from pytest_llem.baselines.kept import VERDICTS_VERSION, Verdicts
from pytest_llem.baselines.run_summary import SUMMARY_VERSION, RunSummary
from pytest_llem.config.document_schema import document_schema, file_name, main

FILE_NAME = file_name("baseline", SCHEMA_VERSION)
VERDICTS_FILE_NAME = file_name("verdicts", VERDICTS_VERSION)
SUMMARY_FILE_NAME = file_name("summary", SUMMARY_VERSION)


def json_schema() -> dict[str, Any]:
    """The schema of a baseline file, draft 2020-12."""
    title = "Baselines of a group of experiments"
    return document_schema(BaselineFile, "baseline", SCHEMA_VERSION, title)


def verdicts_schema() -> dict[str, Any]:
    """That of a run's verdicts."""
    return document_schema(Verdicts, "verdicts", VERDICTS_VERSION, "Verdicts of a run")


def summary_schema() -> dict[str, Any]:
    """That of a run in brief, as ``--llem-export=json:PATH`` writes it."""
    return document_schema(RunSummary, "summary", SUMMARY_VERSION, "Summary of a run")


def _files() -> dict[str, dict[str, Any]]:
    return {
        FILE_NAME: json_schema(),
        VERDICTS_FILE_NAME: verdicts_schema(),
        SUMMARY_FILE_NAME: summary_schema(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], _files()))
