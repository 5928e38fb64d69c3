"""The JSON Schemas of everything that is stored or printed as JSON with a version."""

from __future__ import annotations

from typing import Any

from pytest_llem.baselines import json_schema as of_baselines
from pytest_llem.plan import json_schema as of_plans
from pytest_llem.results.json_schema import json_schemas as of_results


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind of document, draft 2020-12, by its file in ``schemas/``."""
    schemas = {
        **of_results(),
        of_baselines.FILE_NAME: of_baselines.json_schema(),
        of_baselines.VERDICTS_FILE_NAME: of_baselines.verdicts_schema(),
        of_baselines.SUMMARY_FILE_NAME: of_baselines.summary_schema(),
        of_plans.FILE_NAME: of_plans.json_schema(),
    }
    return dict(sorted(schemas.items()))
