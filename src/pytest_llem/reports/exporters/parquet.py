"""Results as Parquet: a row for each measurement of each process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.reports.exporters.flat import columns_of, rows_of
from pytest_llem.reports.quantities import unit_of
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.reports.exporters.flat import Value

TABLE_VERSION = 1
_MOST = 2**63
_COUNTS = ("requests", "tokens", "passes", "windows", "repeat")
"""How names of whole numbers end, whose column has a type though none of them is known."""


class ParquetExporter:
    """Columns as in the CSV, with a type each; ``null`` is unknown.

    A column's unit is the suffix of its name and in its metadata. Whether energy is an estimate
    is said in ``energy_estimated``. A process that measured nothing has one row.
    """

    name: ClassVar[str] = "parquet"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write a row for each measurement of each of *experiments* to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        buffer = pa.BufferOutputStream()
        table = _table([row for one in experiments for row in rows_of(one)])
        pq.write_table(table, buffer, compression="zstd")
        with replacing(path) as file:
            file.write(buffer.getvalue())


def _table(rows: Sequence[Mapping[str, Value]]) -> pa.Table:
    import pyarrow as pa

    fields, columns = [], []
    for name in columns_of(rows):
        values = [row.get(name) for row in rows]
        kind = _kind(name, values)
        unit = unit_of(name).symbol
        fields.append(pa.field(name, getattr(pa, kind)(), metadata={"unit": unit} if unit else {}))
        columns.append(pa.array([_as(kind, value) for value in values], fields[-1].type))
    told = json.dumps({"table": "results", "version": TABLE_VERSION})
    return pa.table(columns, schema=pa.schema(fields, metadata={"pytest_llem": told}))


def _kind(name: str, values: Sequence[Value]) -> str:
    """The type that holds all of *values*; by the name alone where units decide it."""
    known = {type(value) for value in values if value is not None}
    if unit_of(name).symbol and known <= {int, float}:
        return "float64"
    if not known:
        return "int64" if name.endswith(_COUNTS) else "string"
    if known == {bool}:
        return "bool_"
    if known == {int} and all(value is None or -_MOST <= int(value) < _MOST for value in values):
        return "int64"
    return "float64" if known <= {int, float} else "string"


def _as(kind: str, value: Value) -> Value:
    if value is None or kind in {"bool_", "int64"}:
        return value
    if kind == "float64":
        return float(value)
    return value if isinstance(value, str) else json.dumps(value)
