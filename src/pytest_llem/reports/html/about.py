"""The run and what it ran on, as names and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem._version import __version__
from pytest_llem.reports.html.report import VIEW
from pytest_llem.reports.html.values import named_values
from pytest_llem.results.names import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.reports.html.report import Report
    from pytest_llem.results.manifest import Manifest

Section = tuple[str, list[tuple[str, str]]]


def about(report: Report) -> list[Section]:
    """Headed lists of names and values; what is unknown is a dash."""
    sections: list[Section] = [("Run", list(_run(report)))]
    if report.environment is None:
        return [*sections, ("Machine", [("environment", VIEW.signs.unknown)])]
    plain = report.environment.model_dump(mode="json")
    plain.pop("schema_version", None)
    single = {name: value for name, value in plain.items() if not isinstance(value, dict | list)}
    sections.append(("Machine", named_values(single)))
    for number, gpu in enumerate(plain.get("gpus") or ()):
        sections.append((f"GPU {number}", named_values(gpu)))
    for name, value in plain.items():
        if isinstance(value, dict) and value:
            sections.append((name.replace("_", " ").capitalize(), named_values(value)))
    return sections


def _run(report: Report) -> Iterator[tuple[str, str]]:
    yield "run", report.run_id
    if report.manifest is not None:
        yield from _manifest(report.manifest)
    yield "report by", f"pytest-llem {__version__}"


def _manifest(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield "command", VIEW.clean(command_line(manifest.command))
    yield "begun", manifest.started_at
    yield "ended", manifest.finished_at or VIEW.signs.unknown
    yield "measured by", f"pytest-llem {manifest.tool_version}"
    if manifest.shuffle_seed is not None:
        yield "shuffled by", str(manifest.shuffle_seed)
    settings: dict[str, Any] = dict(manifest.settings or {})
    yield from named_values(settings)
    for again in manifest.resumptions:
        yield "resumed", VIEW.clean(f"{again.at} with {command_line(again.command)}")
        for one in again.drift:
            yield "changed by then", VIEW.clean(f"{one.field}: {one.before} → {one.now}")
