"""What is shown and exported of figures that tests record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.measure.recording import recording
from pytest_llem.reports.arrangement import arrangement_of
from pytest_llem.reports.exporters.exporter import Exported
from pytest_llem.reports.exporters.flat import columns_of, row_of
from pytest_llem.reports.failure import regression_text
from pytest_llem.reports.junit import user_properties
from pytest_llem.reports.rows import SummaryRow
from pytest_llem.reports.terminal import summary_lines

if TYPE_CHECKING:
    from conftest import Make

FIGURES = (
    recording("accuracy", [True] * 70 + [False] * 30),
    recording("latency_j", 250.0, unit="ms"),
)


def shown(row: SummaryRow, verbosity: int) -> str:
    lines = summary_lines([row], width=80, colour=False, unicode=True, verbosity=verbosity)
    return "\n".join(lines)


def test_recorded_figures_are_shown_to_those_who_ask(make: Make) -> None:
    row = make.row(result={"recorded": FIGURES})
    assert "2 recorded figures shown with -v" in shown(row, 0)
    said = " ".join(shown(row, 1).split())
    assert "accuracy 0.700 ± 0.090 (100 items), latency_j 250 ms" in said
    assert "shown with -v" not in said


def test_each_process_is_shown_to_those_who_ask_twice(make: Make) -> None:
    row = make.row(result={"recorded": FIGURES})
    each = [
        make.result(recorded=(recording("accuracy", value),), repeat=repeat)
        for repeat, value in enumerate((0.6, 0.8))
    ]
    several = SummaryRow(row.result, (), each, planned=2)
    assert "process 2: accuracy 0.800" in shown(several, 2)
    assert "process 2: accuracy" not in shown(several, 1)


def test_a_rule_about_what_nobody_recorded_is_told(make: Make) -> None:
    gate = make.judgement("incomparable", metric="quality.acuracy")
    row = make.row(judgements=[gate], result={"recorded": FIGURES})
    said = " ".join(shown(row, 0).split())
    assert "no experiment recorded quality.acuracy, so that gates about it judged nothing" in said
    assert "recorded were quality.accuracy, quality.latency_j" in said
    right = make.row(
        judgements=[make.judgement(metric="quality.accuracy")], result={"recorded": FIGURES}
    )
    assert "no experiment recorded" not in shown(right, 0)


def test_a_table_and_junit_have_them(make: Make) -> None:
    result = make.result(recorded=FIGURES)
    row = row_of(Exported(result))
    assert row["quality.accuracy"] == 0.7
    assert row["quality.accuracy.items"] == 100
    assert row["quality.latency_j.unit"] == "ms"
    assert row["quality.latency_j.uncertainty"] is None
    assert "quality.accuracy" in columns_of([row])
    assert ("llem.quality.accuracy", 0.7) in user_properties(result, ())


def test_what_a_test_recorded_is_never_called_an_estimate(make: Make) -> None:
    gate = make.judgement(
        "regressed",
        metric="quality.latency_j",
        baseline=0.0,
        candidate=1.0,
        explanation="0 → 1, +1 at tolerance 5 %",
    )
    row = make.row(judgements=[gate], method="estimated", result={"recorded": FIGURES})
    assert "latency_j (~ estimated)" not in shown(row, 1)
    assert "ESTIMATED" not in regression_text(row.result, [gate])
    assert "change    unknown; tolerance 5%" in regression_text(row.result, [gate])


def test_it_is_a_column_and_an_order_for_those_who_ask(make: Make) -> None:
    rows = [
        make.row(label, result={"recorded": (recording("accuracy", value),)})
        for label, value in (("bad", 0.2), ("good", 0.9))
    ]
    arrangement = arrangement_of(["+quality.accuracy"], ["-quality.accuracy"], [])
    lines = summary_lines(
        rows, width=80, colour=False, unicode=True, verbosity=0, arrangement=arrangement
    )
    text = "\n".join(lines)
    assert "accuracy" in lines[0] + lines[1] + lines[2]
    assert text.index("good") < text.index("bad")
    assert "0.900" in text
