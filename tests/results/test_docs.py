"""What docs/results.md says of the files is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llem.results.columns import FACTS, MARKS, TRACE, Columns

DOCS = (Path(__file__).parents[2] / "docs" / "results.md").read_text()


@pytest.mark.parametrize(
    ("table", "columns"), [("trace", TRACE), ("facts", FACTS), ("marks", MARKS)]
)
def test_every_column_is_documented_with_its_unit_and_meaning(table: str, columns: Columns) -> None:
    section = DOCS.split(f"### `*.{table}.parquet`")[1].split("\n### ")[0]
    rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")
    ]
    told = [(name.strip("`"), unit, meaning) for name, _, unit, meaning in rows]
    assert told == [
        (name, unit if unit not in {"", "1"} else "–", meaning)  # noqa: RUF001  a dash in the docs
        for name, _, unit, meaning in columns
    ]
