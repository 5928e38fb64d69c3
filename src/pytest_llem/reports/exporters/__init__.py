"""Results in the formats of other tools, one a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.contract import Contract
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pytest_llem.reports.exporters.exporter import Exporter

EXPORTERS: Registry[type[Exporter]] = Registry(
    "exporters",
    {
        "csv": "pytest_llem.reports.exporters.csv:CsvExporter",
        "github-bigger": "pytest_llem.reports.exporters.github_benchmark:BiggerIsBetterExporter",
        "github-comment": "pytest_llem.reports.exporters.markdown:CommentExporter",
        "github-smaller": "pytest_llem.reports.exporters.github_benchmark:SmallerIsBetterExporter",
        "gitlab-code-quality": "pytest_llem.reports.exporters.code_quality:CodeQualityExporter",
        "json": "pytest_llem.reports.exporters.json_summary:JsonExporter",
        "markdown": "pytest_llem.reports.exporters.markdown:MarkdownExporter",
        "otel": "pytest_llem.reports.exporters.otel:OtelExporter",
        "parquet": "pytest_llem.reports.exporters.parquet:ParquetExporter",
        "prometheus": "pytest_llem.reports.exporters.prometheus:PrometheusExporter",
        "pytest-benchmark": "pytest_llem.reports.exporters.pytest_benchmark:BenchmarkExporter",
    },
    Contract("pytest_llem.reports.exporters.exporter:Exporter"),
    needs={"otel": ("opentelemetry",)},
)
