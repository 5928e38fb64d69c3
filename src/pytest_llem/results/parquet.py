"""Raw data as Parquet: three tables an experiment, written once no window is open any more.

pyarrow is imported inside the functions: the process that measures must not load it.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llem.devices.recording import parquet_table
from pytest_llem.errors import StoreError
from pytest_llem.results.columns import FACTS, MARKS, TRACE, Columns, arrow_schema
from pytest_llem.results.files import replaced
from pytest_llem.results.load import read_bytes, refuse_newer
from pytest_llem.results.mark_rows import marks_of, rows_of
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
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pytest_llem.devices.meter import Facts
    from pytest_llem.energy.marks import MeasurementMarks
    from pytest_llem.energy.sampling.trace import Trace

T = TypeVar("T")
KINDS = ("trace", "facts", "marks")
_KEY = "pytest_llem"


def parquet_paths(directory: Path, name: str) -> dict[str, Path]:
    """The three files of the experiment whose files are called *name*."""
    return {kind: directory / f"{name}.{kind}.parquet" for kind in KINDS}


def write_parquet(directory: Path, name: str, raw: RawData) -> None:
    """Write *raw* as three files that are on disk when this returns.

    Args:
        directory: where they go.
        name: what they are called, before their suffixes.
        raw: what they hold; integers have to fit 64 bits.

    Raises:
        StoreError: they could not be written.
    """
    import pyarrow.parquet as pq

    traces = [described(trace) for trace in raw.traces]
    paths = parquet_paths(directory, name)
    for kind, table in _tables(raw, directory / name).items():
        about = {"version": RAW_VERSION, "table": kind, "traces": traces}
        documented = table.replace_schema_metadata({_KEY: json.dumps(about)})
        with replaced(paths[kind]) as file:
            pq.write_table(documented, file, compression="zstd", write_page_checksum=True)


def _tables(raw: RawData, path: Path) -> dict[str, pa.Table]:
    import pyarrow as pa

    try:
        return {
            "trace": _stacked(TRACE, map(_reading_columns, raw.traces), raw.traces),
            "facts": _stacked(FACTS, map(_facts_columns, raw.traces), raw.traces),
            "marks": _marks_table(raw.marks),
        }
    except (*DAMAGE, pa.ArrowException) as error:
        raise StoreError(
            f"the raw data of {path} does not fit Parquet columns ({error}). It stays readable "
            "as it was staged; please report this."
        ) from error


def _stacked(
    columns: Columns, parts: Iterable[Mapping[str, Any]], traces: Iterable[Trace]
) -> pa.Table:
    """One table for all traces, whose *parts* lack only what tells the traces apart."""
    import pyarrow as pa

    schema = arrow_schema(columns)
    tables = [schema.empty_table()]
    for number, (part, trace) in enumerate(zip(parts, traces, strict=True)):
        rows = len(part[columns[-1][0]])
        own = {"trace": [number] * rows, "device_uuid": [trace.device.uuid] * rows}
        tables.append(pa.table({**own, **part}, schema=schema))
    return pa.concat_tables(tables).unify_dictionaries()


def _reading_columns(trace: Trace) -> dict[str, Any]:
    rows = len(trace)
    return {
        "before_ns": trace.before_ns[:rows],
        "after_ns": trace.after_ns[:rows],
        "energy_j": _nulls(trace.energy_j[:rows]),
        "power_w": _nulls(trace.power_w[:rows]),
        "between_ns": trace.parted_ns(slice(rows)),
    }


def _nulls(column: Sequence[float]) -> pa.Array:
    """*column* with NaN, which is how a trace says that a value is missing, as null."""
    import pyarrow as pa

    return pa.array(column, pa.float64(), from_pandas=True)


def _facts_columns(trace: Trace) -> dict[str, list[Any]]:
    facts = list(trace.facts)
    return {name: [getattr(fact, name) for fact in facts] for name in FACT_NAMES}


def _marks_table(marks: Sequence[MeasurementMarks]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows_of(marks)), schema=arrow_schema(MARKS))


def read_parquet(directory: Path, name: str) -> RawData:
    """What :func:`write_parquet` wrote.

    Raises:
        StoreError: a file is missing, damaged, or was written by a newer version.
    """
    traces = read_parquet_traces(directory, name)
    paths = parquet_paths(directory, name)
    marks = _interpreted(paths, "marks", lambda table, _: marks_of(table.to_pylist()))
    return RawData(traces, tuple(marks))


def read_parquet_traces(directory: Path, name: str) -> tuple[Trace, ...]:
    """The traces of the same.

    Raises:
        StoreError: a file is missing, damaged, or was written by a newer version.
    """
    paths = parquet_paths(directory, name)
    traces = _interpreted(paths, "trace", _read_traces)
    facts = _interpreted(paths, "facts", _read_facts)
    if len(facts) != len(traces):
        raise damaged(paths["facts"], f"it belongs to another file than {paths['trace']}")
    for trace, its_facts in zip(traces, facts, strict=True):
        trace.facts.extend(its_facts)
    return tuple(traces)


def _interpreted(
    paths: Mapping[str, Path],
    kind: str,
    read: Callable[[pa.Table, list[dict[str, Any]]], list[T]],
) -> list[T]:
    """What *read* makes of the table of one kind and of the descriptions of its traces."""
    import pyarrow as pa

    content = read_bytes(paths[kind])
    try:
        table = parquet_table(io.BytesIO(content))
        about = json.loads(table.schema.metadata[_KEY.encode()])
        refuse_newer(about["version"], RAW_VERSION, paths[kind])
        if about["table"] != kind:
            raise ValueError(f"it is of the kind {about['table']}")
        return read(table, about["traces"])
    except (*DAMAGE, OSError, pa.ArrowException) as error:
        what = f"it is not what pytest-llem wrote ({_first_line(error)})"
        raise damaged(paths[kind], what) from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _read_traces(table: pa.Table, descriptions: list[dict[str, Any]]) -> list[Trace]:
    traces = [empty_trace(description) for description in descriptions]
    for trace, part in zip(traces, _split(table, len(traces)), strict=True):
        extend(trace, part)
    return traces


def _read_facts(table: pa.Table, descriptions: list[dict[str, Any]]) -> list[list[Facts]]:
    return [facts_of(part) for part in _split(table, len(descriptions))]


def _split(table: pa.Table, traces: int) -> Iterator[dict[str, list[Any]]]:
    """The columns of each trace, in the order of the traces."""
    import pyarrow.compute as pc

    for number in range(traces):
        part = table.filter(pc.equal(table["trace"], number))
        yield {name: part[name].to_pylist() for name in part.column_names}
