"""Tests that record figures of their own, as users write them."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instruments import quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

SOURCE = """
import os
import time

def test_answers(energy):
    energy.measure(lambda: time.sleep(0.005))
    right = int(os.environ.get("RIGHT", "9"))
    energy.record("accuracy", [number < right for number in range(10)])
    found = energy.record("perplexity", 12.5)
    assert found.value == 12.5
"""
HERE = (*quick.QUICK, "--llem-isolation=none")


def test_figures_travel_from_the_process_into_the_result(
    run: Run, stored: Stored, launcher: str
) -> None:
    run(SOURCE, *quick.QUICK, f"--llem-isolation={launcher}").assert_outcomes(passed=1)
    (result,) = stored()
    assert {one["name"]: one["value"] for one in result["recorded"]} == {
        "accuracy": 0.9,
        "perplexity": 12.5,
    }


def test_a_wrong_model_fails_by_its_floor_and_by_its_baseline(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makefile(
        ".toml",
        pyproject='[tool.llem.gates]\nquality.accuracy = ">=50%"\n"quality.perplexity" = "1%"\n',
    )
    run(SOURCE, *HERE, "--llem-update-baselines").assert_outcomes(passed=1)
    monkeypatch.setenv("RIGHT", "0")
    outcome = run(SOURCE, *HERE, "--llem-gate=quality.accuracy:5%")
    outcome.assert_outcomes(failed=1)
    said = outcome.stdout.str()
    assert "0 [0, 0.2589] against the limit >=50 %" in said
    assert "quality.accuracy: regressed" in said


def test_a_floor_needs_neither_baseline_nor_measurement(run: Run) -> None:
    source = "def test_it(energy):\n    energy.record('accuracy', 0.6)\n"
    floor = "--llem-gate=quality.accuracy:>={}"
    gates = (f"{floor.format(0.7)}@*low", f"{floor.format(0.5)}@*high")
    outcome = run(f"{source.replace('it', 'low')}{source.replace('it', 'high')}", *HERE, *gates)
    outcome.assert_outcomes(failed=1, passed=1)


def test_each_process_records_its_own(run: Run, stored: Stored) -> None:
    outcome = run(
        SOURCE, *quick.QUICK, "--llem-repeats=2", "-v", "--llem-gate=quality.accuracy:>=0.5"
    )
    outcome.assert_outcomes(passed=1)
    assert len(stored()) == 2
    assert "2 processes; 10 items a process" in " ".join(outcome.stdout.str().split())
    assert "accuracy 0.90 ± 0.24 (10 items)" in outcome.stdout.str()


def test_what_was_recorded_before_a_failure_is_kept(run: Run, stored: Stored) -> None:
    source = "def test_it(energy):\n    energy.record('accuracy', 0.5)\n    assert False\n"
    run(source, *quick.QUICK).assert_outcomes(failed=1)
    (result,) = stored()
    assert [one["value"] for one in result["recorded"]] == [0.5]
    source = (
        "import os\ndef test_it(energy):\n    energy.record('accuracy', 0.5)\n    os._exit(3)\n"
    )
    run(source, *quick.QUICK).assert_outcomes(failed=1)
    assert [one["value"] for result in stored() for one in result["recorded"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("energy.record('accuracy', float('nan'))", "nan is no result"),
        ("energy.record('a', 1); energy.record('a', 2)", "already recorded 'a'"),
        ("energy.record('pass@1', 1)", "pass_at_1 rather than pass@1"),
    ],
)
def test_what_cannot_be_recorded_fails_the_test_where_it_was_written(
    run: Run, code: str, said: str
) -> None:
    outcome = run(f"def test_it(energy):\n    {code}\n", *HERE)
    outcome.assert_outcomes(failed=1)
    text = outcome.stdout.str()
    assert said in text
    assert "measure/recording.py" not in text


def test_a_rule_that_nothing_was_recorded_for_is_told_and_fails_the_strict(run: Run) -> None:
    gate = "--llem-gate=quality.acuracy:>=0.5"
    outcome = run(SOURCE, *HERE, gate, "--llem-strict")
    outcome.assert_outcomes(failed=1)
    said = " ".join(outcome.stdout.str().split())
    assert "no experiment recorded quality.acuracy" in said
    assert "recorded were quality.accuracy, quality.perplexity" in said


def test_tables_and_commands_have_them(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    run(SOURCE, *HERE, "--llem-update-baselines", f"--llem-export=csv:{table}")
    (row,) = csv.DictReader(table.read_text().splitlines())
    assert row["quality.accuracy"] == "0.9"
    llem = (sys.executable, "-m", "pytest_llem")
    shown = pytester.run(*llem, "runs", "show", "-v")
    assert "accuracy 0.90 ± 0.24 (10 items), perplexity 12.5" in shown.stdout.str()
    history = pytester.run(*llem, "history", "--metric", "quality.accuracy", "--json")
    (one,) = json.loads(history.stdout.str())
    assert [point["value"] for point in one["points"]] == [0.9]


def test_a_process_that_is_told_again_counts_with_what_it_recorded(
    run: Run, stored: Stored
) -> None:
    quick_ = (*quick.QUICK, "--llem-gate=quality.accuracy:>=0.5", "-v")
    run(SOURCE, *quick_).assert_outcomes(passed=1)
    (first,) = stored()
    again = run(SOURCE, *quick_, f"--llem-resume={first['run_id']}", "--llem-repeats=2")
    again.assert_outcomes(passed=1)
    assert "2 processes; 10 items a process" in " ".join(again.stdout.str().split())
