"""What was read once, from the raw data that a run keeps.

The files explain themselves (docs/results.md, "Raw data"): a trace table as Parquet with
its devices described in the metadata, or the JSON lines that stand in its place until a run
has ended. They are read here once more, rather than with ``results``, which keeps them: a
meter lies below that room, and wants readings without marks, figures or a run around them.
"""

from __future__ import annotations

import json
from array import array
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pytest_llem.devices.meter import Device, Facts
from pytest_llem.errors import MeterError
from pytest_llem.paths import is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import pyarrow as pa

VERSION = 1
"""Newest format of raw data that is understood."""
KEY = b"pytest_llem"
TRACE, FACTS, STAGED = ".trace.parquet", ".facts.parquet", ".jsonl"
READINGS = ("before_ns", "after_ns", "energy_j", "power_w", "between_ns")
"""Columns of readings; those of before the last was kept are all null in it."""
FACT_NAMES = tuple(field.name for field in fields(Facts))
DAMAGE = (ArithmeticError, LookupError, OSError, RecursionError, TypeError, ValueError)

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that was read of one device, in order; instants are of the clock of then."""

    device: Device
    loss: str
    """Why it could not be read any more; empty if it always could."""
    before_ns: Sequence[int]
    after_ns: Sequence[int]
    energy_j: Sequence[float | None]
    power_w: Sequence[float | None]
    between_ns: Sequence[int | None]
    facts: Sequence[Facts]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file's recordings, and when they were made."""

    path: Path
    date: str
    """Day of the recording, ISO 8601: a label."""
    recordings: tuple[Recording, ...]


def recorded(path: Path) -> Recorded:
    """The recordings in a file of a run's ``raw`` folder, with at least one reading each.

    Raises:
        MeterError: there is no such file, it is damaged or of a newer version, or nothing
            was recorded; with what to do.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise MeterError(f"{path} cannot be replayed: {error.strerror}. {_which(path)}") from None
    if is_folder(path) or not path.name.endswith((TRACE, STAGED)):
        raise MeterError(f"{path} is no recording. {_which(path)}")
    return _recorded(path, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _recorded(path: Path, changed_ns: int) -> Recorded:
    """The same for a file that was changed last at *changed_ns*; experiments replay it anew."""
    read = _from_parquet if path.name.endswith(TRACE) else _from_lines
    try:
        found = [one for one in read(path) if _checked(one)]
    except DAMAGE as error:
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise MeterError(
            f"{path} cannot be replayed, as it is not what pytest-llem wrote ({what}). Restore it "
            "from a copy, or record again: any run keeps its readings."
        ) from error
    if not found:
        raise MeterError(
            f"{path} holds no readings: nothing was read while it was recorded. Replay another run."
        )
    return Recorded(path, _date(path, changed_ns), tuple(found))


def _checked(recording: Recording) -> bool:
    """Whether there is anything in it.

    Raises:
        ValueError: its columns do not fit each other, or time goes back.
    """
    columns = [getattr(recording, name) for name in READINGS]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("columns of different lengths")
    if any(after < before for before, after in zip(*columns[:2], strict=True)):
        raise ValueError("a reading that ends before it begins")
    parted = zip(recording.before_ns, recording.between_ns, recording.after_ns, strict=True)
    if any(between is not None and not a <= between <= b for a, between, b in parted):
        raise ValueError("calls that were parted outside of their reading")
    if any(later < sooner for sooner, later in pairwise(recording.after_ns)):
        raise ValueError("readings that are not in order")
    return bool(columns[0])


def _from_parquet(path: Path) -> Iterator[Recording]:
    descriptions, readings = _table(path, "trace")
    beside = path.with_name(path.name.removesuffix(TRACE) + FACTS)
    facts = _table(beside, "facts")[1] if beside.exists() else [{} for _ in descriptions]
    for description, columns, its_facts in zip(descriptions, readings, facts, strict=True):
        yield _recording(description, columns, its_facts)


def parquet_table(source: Path | BinaryIO) -> pa.Table:
    """The table in a Parquet file, its pages checked, read by this thread alone.

    Threads that Arrow leaves behind may abort an interpreter that ends soon after
    (apache/arrow issue 34314).

    Raises:
        ArrowException: it is damaged, or no Parquet file.
        OSError: it cannot be read.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False) as file:
        return file.read(use_threads=False)


def _table(path: Path, kind: str) -> tuple[list[dict[str, Any]], list[Columns]]:
    """Descriptions of the traces in a Parquet file, and the columns of each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        table = parquet_table(path)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    about = json.loads((table.schema.metadata or {})[KEY])
    _refuse_newer(about["version"])
    if about["table"] != kind:
        raise ValueError(f"a table of {about['table']}, not of {kind}")
    parts = [table.filter(pc.equal(table["trace"], n)) for n in range(len(about["traces"]))]
    return about["traces"], [part.to_pydict() for part in parts]


def _from_lines(path: Path) -> Iterator[Recording]:
    lines = iter(path.read_bytes().splitlines())

    def take() -> dict[str, Any]:
        line = json.loads(next(lines, b"null"))
        if not isinstance(line, dict):
            raise ValueError("it ends in the middle")  # noqa: TRY004 - of damage it is one kind
        return line

    header = take()
    _refuse_newer(header["version"])
    for _ in range(header["traces"]):
        about = take()
        yield _recording(
            about,
            _blocks(take, about["readings"], READINGS),
            _blocks(take, about["facts"], FACT_NAMES),
        )


def _blocks(take: Callable[[], Columns], rows: int, names: Sequence[str]) -> Columns:
    """Columns that were written in blocks, until they have so many rows."""
    columns: Columns = {name: [] for name in names}
    while len(columns[names[0]]) < rows:
        block = take()
        for name in names:
            columns[name] += block.get(name, [None] * len(block[names[0]]))
    return columns


def _recording(about: Mapping[str, Any], columns: Columns, facts: Columns) -> Recording:
    from pydantic import TypeAdapter

    return Recording(
        device=TypeAdapter(Device).validate_python(about["device"]),
        loss=str(about.get("loss", "")),
        before_ns=array("q", columns["before_ns"]),
        after_ns=array("q", columns["after_ns"]),
        energy_j=_floats(columns["energy_j"]),
        power_w=_floats(columns["power_w"]),
        between_ns=columns.get("between_ns", [None] * len(columns["before_ns"])),
        facts=_facts(facts),
    )


def _floats(column: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else float(value) for value in column]


def _facts(columns: Columns) -> list[Facts]:
    from pydantic import TypeAdapter

    names = [name for name in FACT_NAMES if name in columns]
    rows = zip(*(columns[name] for name in names), strict=True)
    known = [dict(zip(names, row, strict=True)) for row in rows]
    return TypeAdapter(list[Facts]).validate_python(known)


def _refuse_newer(version: object) -> None:
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(f"format {version}; this version knows {VERSION}: upgrade pytest-llem")


def _which(path: Path) -> str:
    """What to give instead of *path*."""
    folder = path if is_folder(path) else path.parent
    near = []
    with suppress(OSError):
        near = sorted(file.name for file in folder.iterdir() if file.name.endswith((TRACE, STAGED)))
    example = f", such as {folder / near[0]}" if near else ""
    return (
        f"Give a file of a run's raw folder (.llem/runs/RUN/raw/NAME{TRACE}, or NAME{STAGED} "
        f"of a run that was interrupted){example}."
    )


def _date(path: Path, changed_ns: int) -> str:
    """The day on which the experiment began by its result, else that of the file."""
    name = path.name.removesuffix(TRACE).removesuffix(STAGED)
    try:
        result = json.loads((path.parent.parent / "results" / f"{name}.json").read_bytes())
        return datetime.fromisoformat(result["started_at"]).date().isoformat()
    except DAMAGE:
        return datetime.fromtimestamp(changed_ns / 1e9, UTC).date().isoformat()
