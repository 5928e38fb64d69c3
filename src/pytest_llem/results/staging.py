"""Raw data as JSON lines: written in passing while a run goes on, without pyarrow or numpy.

A header, then per device one line that describes it and blocks of readings and
facts in columns, then one line per measurement's marks, without what is as it
is by default. A reading's missing value is ``null``.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.marks import MeasurementMarks
from pytest_llem.results.load import read_bytes, refuse_newer
from pytest_llem.results.raw import (
    DAMAGE,
    FACT_NAMES,
    RAW_VERSION,
    RawData,
    damaged,
    described,
    empty_trace,
    extend,
    facts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_llem.energy.sampling.trace import Trace

FORMAT = "pytest-llem raw"
_BLOCK = 4096
_Line = dict[str, Any]


def staged_lines(raw: RawData) -> Iterator[bytes]:
    """*raw* in lines, each with its line feed; its traces may grow meanwhile."""
    for line in _content(raw):
        yield json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _content(raw: RawData) -> Iterator[_Line]:
    yield {
        "format": FORMAT,
        "version": RAW_VERSION,
        "traces": len(raw.traces),
        "measurements": len(raw.marks),
    }
    for trace in raw.traces:
        yield from _trace_content(trace)
    for marks in raw.marks:
        yield {"marks": marks.model_dump(exclude_defaults=True)}


def _trace_content(trace: Trace) -> Iterator[_Line]:
    readings, facts = len(trace), list(trace.facts)
    yield {**described(trace), "readings": readings, "facts": len(facts)}
    for start in range(0, readings, _BLOCK):
        block = slice(start, min(start + _BLOCK, readings))
        yield {
            "before_ns": trace.before_ns[block].tolist(),
            "after_ns": trace.after_ns[block].tolist(),
            "energy_j": _nulls(trace.energy_j[block]),
            "power_w": _nulls(trace.power_w[block]),
            "between_ns": trace.parted_ns(block),
        }
    for start in range(0, len(facts), _BLOCK):
        part = facts[start : start + _BLOCK]
        yield {name: [getattr(fact, name) for fact in part] for name in FACT_NAMES}


def _nulls(column: Iterable[float]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column]


def read_staged(path: Path) -> RawData:
    """The raw data staged at *path*.

    Raises:
        StoreError: it cannot be read, is damaged, or was written by a newer version.
    """
    lines = _Lines(read_bytes(path).splitlines())
    try:
        return _assembled(lines, path)
    except DAMAGE as error:
        raise damaged(path, f"line {lines.number} is not what it should be") from error


class _Lines:
    """The lines of a file, taken one after the other."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines
        self.number = 0

    def take(self) -> _Line:
        self.number += 1
        line = json.loads(self._lines[self.number - 1])
        if not isinstance(line, dict):
            raise TypeError(line)
        return line

    def finish(self) -> None:
        if self.number != len(self._lines):
            self.number += 1
            raise ValueError(self.number)


def _assembled(lines: _Lines, path: Path) -> RawData:
    header = lines.take()
    if header["format"] != FORMAT:
        raise ValueError(header["format"])
    refuse_newer(header["version"], RAW_VERSION, path)
    traces = [_read_trace(lines) for _ in range(header["traces"])]
    marks = [_read_marks(lines) for _ in range(header["measurements"])]
    lines.finish()
    return RawData(tuple(traces), tuple(marks))


def _read_trace(lines: _Lines) -> Trace:
    description = lines.take()
    trace = empty_trace(description)
    while len(trace) < description["readings"]:
        extend(trace, lines.take())
    while len(trace.facts) < description["facts"]:
        trace.facts.extend(facts_of(lines.take()))
    return trace


def _read_marks(lines: _Lines) -> MeasurementMarks:
    return MeasurementMarks.model_validate(lines.take()["marks"])
