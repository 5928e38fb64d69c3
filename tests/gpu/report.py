"""What the check prints and writes."""

from __future__ import annotations

import datetime as dt
import json
import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gpu.experiments import LADDER
from pytest_llem._version import __version__
from pytest_llem.results.parquet import parquet_paths, write_parquet
from pytest_llem.results.raw import RawData

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpu.checks import Bench
    from gpu.findings import Finding
    from pytest_llem.energy.sampling.trace import Trace

FORMAT = "pytest-llem gpu-check"
VERSION = 1
TABLE = "table.txt"
"""What is printed, as a file."""
MOST_FILES = 8
MOST_BYTES = 16 * 2**20
WIDTH = 100
_LABEL = 22


def identity(bench: Bench, driver: dict[str, Any] | None) -> dict[str, Any]:
    """Which card, driver and libraries, and on which day; nothing that names the machine."""
    cards = [card for card in (driver or {}).get("gpus", []) if card["uuid"] == bench.device.uuid]
    card = cards[0] if cards else {}
    facts = bench.meter.facts(bench.device)
    return {
        "gpu": bench.device.name,
        "power_limit_w": facts.power_limit_w,
        "memory_bytes": card.get("memory_bytes"),
        "persistence": card.get("persistence"),
        "driver": (driver or {}).get("driver_version"),
        "cuda_of_driver": (driver or {}).get("cuda_driver_version"),
        "load": bench.load_about,
        "pytest_llem": __version__,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
    }


def slug(about: dict[str, Any]) -> str:
    """A folder's name for a card and a day."""
    name = re.sub(r"[^a-z0-9]+", "-", about["gpu"].lower()).strip("-")
    return f"{name}-{about['date']}"


def write(bench: Bench, about: dict[str, Any], *, dry: bool) -> list[Path]:
    """Summary, table and traces; at most ``MOST_FILES`` files, each below ``MOST_BYTES``."""
    summary = {
        "format": FORMAT,
        "version": VERSION,
        "dry": dry,
        "about": about,
        "took_s": round(bench.elapsed_s, 1),
        "findings": {
            one.check: {"outcome": one.outcome, "verdict": one.verdict, **one.figures}
            for one in bench.findings
        },
    }
    text = json.dumps(summary, indent=1, allow_nan=False) + "\n"
    (bench.out / "summary.json").write_text(text, encoding="utf-8")
    table = "\n".join(table_lines(bench.findings, about, bench.elapsed_s, dry=dry)) + "\n"
    (bench.out / TABLE).write_text(table, encoding="utf-8")
    if bench.traces:
        write_traces(bench.out, bench.traces)
    return sorted(bench.out.iterdir())


def write_traces(folder: Path, traces: list[Trace], most_bytes: int = MOST_BYTES) -> None:
    """The traces as ``instrument.*.parquet``, every other reading left out until they fit."""
    while True:
        write_parquet(folder, "instrument", RawData(tuple(traces), ()))
        if parquet_paths(folder, "instrument")["trace"].stat().st_size < most_bytes:
            return
        traces = [_half(trace) for trace in traces]


def _half(trace: Trace) -> Trace:
    columns = ("before_ns", "after_ns", "energy_j", "power_w")
    return replace(trace, **{name: getattr(trace, name)[::2] for name in columns})


def table_lines(
    findings: list[Finding], about: dict[str, Any], took_s: float, *, dry: bool
) -> Iterator[str]:
    """One paragraph a check, then the models."""
    driver = f"driver {about['driver'] or '?'}, CUDA {about['cuda_of_driver'] or '?'}"
    limit = about["power_limit_w"]
    at = f", limit {limit:.0f} W" if limit else ""
    yield f"gpu-check on {about['gpu']}{at}, {driver}, {about['date']}, {took_s:.0f} s"
    if dry:
        yield "DRY: durations are too short to learn anything; no figure below means anything."
    yield "─" * WIDTH
    for finding in findings:
        text = finding.verdict if finding.outcome != "broken" else f"BROKEN: {finding.verdict}"
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"{finding.check:<{_LABEL}}",
            subsequent_indent=" " * _LABEL,
        )
    yield from _models(findings)


def _models(findings: list[Finding]) -> Iterator[str]:
    rows = [row for one in findings if one.check == LADDER for row in one.figures.get("rows", [])]
    if not rows:
        return
    yield "─" * WIDTH
    yield (
        f"{'model':<{_LABEL}}{'batch':>6}{'mJ/output token':>22}{'tokens/s':>11}{'W':>7}"
        f"{'× reference':>13}{'decode':>9}"
    )
    for row in rows:
        energy = row["outcome"]
        if row["valid"]:
            half = _number(row["energy_per_output_token_uncertainty_j"], 1000, 2)
            energy = f"{_number(row['energy_per_output_token_j'], 1000, 4)} ± {half}"
        yield (
            f"{row['model']:<{_LABEL}}{row['batch_size']:>6}{energy:>22}"
            f"{_number(row['output_tokens_per_s'], 1, 4):>11}{_number(row['power_w'], 1, 3):>7}"
            f"{_number(row['times_reference'], 1, 3):>13}"
            f"{_number(row['decode_times_reference'], 1, 3):>9}"
        )


def _number(value: float | None, factor: float, digits: int) -> str:
    return "?" if value is None else f"{value * factor:.{digits}g}"
