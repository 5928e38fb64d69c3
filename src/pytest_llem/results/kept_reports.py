"""pytest's own reports of an experiment's process, kept so that they can be given again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pytest_llem.errors import StoreError
from pytest_llem.results.files import explained
from pytest_llem.results.load import load_document
from pytest_llem.results.schema import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.results.store import RunStore

REPORTS_VERSION = 1
REPORTS = "reports"


class KeptReports(Stored):
    """The reports of one process, before any gate changed them."""

    schema_version: Literal[1] = 1
    reports: tuple[dict[str, Any], ...]
    """As ``pytest_report_to_serializable`` gives them, in their order."""


def keep_reports(store: RunStore, name: str, reports: Sequence[dict[str, Any]]) -> None:
    """Keep *reports* beside the result called *name*.

    Raises:
        StoreError: they are no JSON, or cannot be written.
    """
    from pytest_llem.results.store import write_document

    try:
        json.dumps(reports, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"reports of {name} are no JSON: {error}.") from error
    with explained("create", store.path / REPORTS):
        (store.path / REPORTS).mkdir(exist_ok=True)
    write_document(_path(store, name), KeptReports(reports=tuple(reports)))


def kept_reports(store: RunStore, name: str) -> tuple[dict[str, Any], ...]:
    """The reports beside the result called *name*; none if there are none that can be read."""
    try:
        kind = "reports of an experiment"
        return load_document(_path(store, name), KeptReports, kind, REPORTS_VERSION).reports
    except StoreError:
        return ()


def _path(store: RunStore, name: str) -> Path:
    return store.path / REPORTS / f"{name}.json"
