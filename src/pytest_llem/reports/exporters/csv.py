"""Results as comma-separated values: a row for each process of an experiment."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.reports.exporters.flat import columns_of, row_of
from pytest_llem.reports.text import clean
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.reports.exporters.flat import Value

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins with one of these is a formula to spreadsheets (OWASP, CSV Injection)."""
QUOTED = ("'", *FORMULAS)
"""An apostrophe goes before what begins with one of these; so the first one never is the text's."""


class CsvExporter:
    """RFC 4180 in UTF-8, with a header line.

    Unknown is empty, ``true`` and ``false`` are so written, and numbers are as exact as in the
    result. Whether energy is an estimate is said in ``energy_estimated``.
    """

    name: ClassVar[str] = "csv"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write a row for each of *experiments* to *path*; see :func:`row_of` for the columns.

        Raises:
            OSError: the file cannot be written.
        """
        rows = [row_of(one) for one in experiments]
        columns = columns_of(rows)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        # DuckDB takes no line break in a header, and a measurement's name may have one.
        writer.writerow([clean(name, unicode=True) for name in columns])
        writer.writerows([_written(row.get(name)) for name in columns] for row in rows)
        with replacing(path) as file:
            file.write(text.getvalue().encode())


def _written(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}" if value.startswith(QUOTED) else value
    return repr(value)
