"""The raw data of one experiment: everything that was read and marked."""

from __future__ import annotations

import math
from array import array
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from pytest_llem.devices.meter import Device, Facts
from pytest_llem.energy.sampling.trace import UNPARTED, Loss, Trace
from pytest_llem.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_llem.energy.marks import MeasurementMarks

RAW_VERSION = 1
FACT_NAMES = tuple(field.name for field in fields(Facts))
"""Names of the columns that facts are kept in."""
DAMAGE = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a damaged or foreign file may raise."""


@dataclass(frozen=True, slots=True)
class RawData:
    """What the figures of an experiment are derived from."""

    traces: tuple[Trace, ...]
    """One a device, over the whole experiment."""
    marks: tuple[MeasurementMarks, ...]
    """One a measurement, in the order they were made."""


def described(trace: Trace) -> dict[str, Any]:
    """What *trace* is of: its meter, and its device with the capability, as JSON values."""
    return {
        "meter": trace.meter,
        "device": asdict(trace.device),
        "loss": trace.loss,
        "losses": [list(loss) for loss in list(trace.losses)],
    }


def empty_trace(description: Mapping[str, Any]) -> Trace:
    """A trace without readings, of what :func:`described` said.

    Raises:
        ValueError, LookupError, TypeError: *description* is no such thing.
    """
    device = _devices().validate_python(description["device"])
    loss = str(description.get("loss", ""))
    losses = [
        Loss(int(start_ns), None if end_ns is None else int(end_ns), str(text))
        for start_ns, end_ns, text in description.get("losses", ())
    ]
    return Trace(device=device, meter=str(description["meter"]), loss=loss, losses=losses)


@cache
def _devices() -> TypeAdapter[Device]:
    return TypeAdapter(Device)


def extend(trace: Trace, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append readings in columns to *trace*; ``None`` is a missing value.

    Raises:
        ValueError, LookupError, TypeError, OverflowError: *columns* are no readings.
    """
    before_ns, after_ns = array("q", columns["before_ns"]), array("q", columns["after_ns"])
    energy_j, power_w = _floats(columns["energy_j"]), _floats(columns["power_w"])
    between_ns = _instants(columns.get("between_ns", [None] * len(before_ns)))
    if len({len(column) for column in (before_ns, after_ns, energy_j, power_w, between_ns)}) > 1:
        raise ValueError("columns of different lengths")
    trace.before_ns.extend(before_ns)
    trace.energy_j.extend(energy_j)
    trace.power_w.extend(power_w)
    trace.between_ns.extend(between_ns)
    trace.after_ns.extend(after_ns)


def _instants(column: Sequence[int | None]) -> array[int]:
    return array("q", (UNPARTED if value is None else value for value in column))


def _floats(column: Sequence[float | None]) -> array[float]:
    return array("d", (math.nan if value is None else value for value in column))


def facts_of(columns: Mapping[str, Sequence[Any]]) -> list[Facts]:
    """Facts from columns; those that an older version did not know stay unknown.

    Raises:
        ValueError, TypeError: *columns* are no facts.
    """
    names = [name for name in FACT_NAMES if name in columns]
    rows = zip(*(columns[name] for name in names), strict=True)
    return _facts().validate_python([dict(zip(names, row, strict=True)) for row in rows])


@cache
def _facts() -> TypeAdapter[list[Facts]]:
    return TypeAdapter(list[Facts])


def damaged(path: Path, what: str) -> StoreError:
    """What to say of a raw file that is not what it should be."""
    return StoreError(
        f"{path} is corrupt: {what}. Results are not affected, but this experiment cannot be "
        "recomputed unless the file is restored from a copy."
    )
