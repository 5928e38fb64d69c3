"""JSON Schemas of a baseline file and of a run's verdicts: ``python -m pytest_llem.baselines.json_schema [DIR]``."""

from __future__ import annotations

import sys
from typing import Any

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile
from pytest_llem.baselines.kept import VERDICTS_VERSION, Verdicts
from pytest_llem.config.document_schema import document_schema, file_name, main

FILE_NAME = file_name("baseline", SCHEMA_VERSION)
VERDICTS_FILE_NAME = file_name("verdicts", VERDICTS_VERSION)


def json_schema() -> dict[str, Any]:
    """The schema of a baseline file, draft 2020-12."""
    title = "Baselines of a group of experiments"
    return document_schema(BaselineFile, "baseline", SCHEMA_VERSION, title)


def verdicts_schema() -> dict[str, Any]:
    """That of a run's verdicts."""
    return document_schema(Verdicts, "verdicts", VERDICTS_VERSION, "Verdicts of a run")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], {FILE_NAME: json_schema(), VERDICTS_FILE_NAME: verdicts_schema()}))
