"""JSON Schema of a plan: ``python -m pytest_llem.plan.json_schema [DIR]``."""

from __future__ import annotations

import sys
from typing import Any

from pytest_llem.config.document_schema import document_schema, file_name, main
from pytest_llem.plan.document import PLAN_VERSION, Plan

FILE_NAME = file_name("plan", PLAN_VERSION)


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    return document_schema(Plan, "plan", PLAN_VERSION, "Plan of a session")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], {FILE_NAME: json_schema()}))
