"""Results as rows: CSV, and Parquet as pyarrow and DuckDB read it."""

from __future__ import annotations

import csv
import io
import string
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from conftest import Export, Make

WORDS = st.text(st.sampled_from([*string.ascii_letters, *"'=+-@\t\r\n\",;\\é</😀\x01"]), max_size=8)


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def parquet_rows(export: Export, *experiments: Any) -> list[dict[str, Any]]:
    from pytest_llem.reports.exporters.parquet import ParquetExporter

    ParquetExporter().export(experiments, export.path)
    return list(pq.read_table(export.path).to_pylist())


@settings(max_examples=60)
@given(WORDS)
@example("'=1+1")
def test_a_text_of_the_csv_is_what_follows_an_apostrophe(export: Export, label: str) -> None:
    (row,) = csv_rows(export.written("csv", export.experiment(label)))
    assert row["label"].removeprefix("'") == label
    assert not row["label"].startswith(("=", "+", "-", "@", "\t", "\r"))


@settings(max_examples=40)
@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_any_name_and_any_number_come_back_from_parquet(
    export: Export, label: str, value: float
) -> None:
    (row,) = parquet_rows(export, export.experiment(label, export.measured(energy_j=value)))
    assert row["label"] == label
    assert row["energy_j"] == value


def test_parquet_has_a_row_a_measurement_with_what_was_said_of_it(
    export: Export, make: Make
) -> None:
    judgements = [make.judgement("pass"), make.judgement("regressed", measurement="second")]
    both = (export.measured(), export.measured(name="second", method="estimated"))
    rows = parquet_rows(
        export,
        export.experiment("a", *both, judgements=judgements),
        export.experiment("b", outcome="crashed", message="it did", repeat=1),
        export.experiment("c", make.measured()),
    )
    gate = "gate.energy_per_output_token_j.verdict"
    told = [(row["label"], row["measurement"], row["energy_estimated"], row[gate]) for row in rows]
    assert told == [
        ("a", "workload", False, "pass"),
        ("a", "second", True, "regressed"),
        ("b", "workload", False, None),
        ("c", "workload", False, None),
    ]
    assert rows[3]["energy_j"] is None


def test_a_process_that_measured_nothing_has_a_row(export: Export, make: Make) -> None:
    from pytest_llem.reports.exporters.exporter import Exported

    (row,) = parquet_rows(export, Exported(make.result("x", [], outcome="crashed")))
    assert (row["label"], row["outcome"]) == ("x", "crashed")


def test_a_columns_type_and_unit_do_not_depend_on_what_is_known(export: Export, make: Make) -> None:
    parquet_rows(export, export.experiment("a", make.measured()))
    unknown = pq.read_schema(export.path)
    parquet_rows(export, export.experiment("a"))
    known = pq.read_schema(export.path)
    for name in ("energy_j", "ttft_s", "power_w", "output_tokens", "energy_estimated"):
        assert unknown.field(name).type == known.field(name).type
    assert known.field("energy_per_output_token_j").metadata == {b"unit": b"J"}
    assert known.field("output_tokens_per_s").metadata == {b"unit": b"/s"}


def test_duckdb_reads_it(export: Export) -> None:
    duckdb = pytest.importorskip("duckdb")
    parquet_rows(export, export.experiment("é\n'"), export.experiment("b"))
    found = duckdb.read_parquet(str(export.path)).order("label").project("label, energy_j")
    assert found.fetchall() == [("b", 1.1), ("é\n'", 1.1)]


def test_judgements_of_a_further_measurement_have_columns_of_their_own(
    export: Export, make: Make
) -> None:
    judgements = [make.judgement("pass"), make.judgement("regressed", measurement="second")]
    both = (export.measured(), export.measured(name="second"))
    (row,) = csv_rows(export.written("csv", export.experiment("a", *both, judgements=judgements)))
    gates = ("gate.", "gate.second.")
    assert [row[f"{gate}energy_per_output_token_j.verdict"] for gate in gates] == [
        "pass",
        "regressed",
    ]
    explanation = row["gate.energy_per_output_token_j.explanation"]
    assert explanation == "it is pass"


def test_a_line_break_in_a_measurements_name_breaks_no_header(export: Export, make: Make) -> None:
    judgements = [make.judgement(measurement="a\n\x01b")]
    both = (export.measured(), export.measured(name="a\n\x01b"))
    written = export.written("csv", export.experiment("x", *both, judgements=judgements))
    header = next(csv.reader(io.StringIO(written, newline="")))
    assert "gate.a \\x01b.energy_per_output_token_j.verdict" in header
