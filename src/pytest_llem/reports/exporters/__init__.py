"""Results in the formats of other tools, one a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.contract import Contract
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pytest_llem.reports.exporters.exporter import Exporter

EXPORTERS: Registry[type[Exporter]] = Registry(
    "exporters",
    {"csv": "pytest_llem.reports.exporters.csv:CsvExporter"},
    Contract("pytest_llem.reports.exporters.exporter:Exporter"),
)
