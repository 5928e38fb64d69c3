"""Benchmarks as the real pytest-benchmark reads and compares them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.rounds import statistics_of_rounds

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Export, Make

VALUES = st.lists(st.floats(min_value=1e-9, max_value=1e6), min_size=1, max_size=30)
INSTALLED = pytest.importorskip("pytest_benchmark")


@given(VALUES)
def test_statistics_are_those_of_pytest_benchmark(values: list[float]) -> None:
    from pytest_benchmark.stats import Stats

    theirs = Stats()
    for value in values:
        theirs.update(value)
    ours, expected = statistics_of_rounds(values), theirs.as_dict()
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, float):
            assert ours[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
        else:
            assert ours[name] == value, name


def compare(*arguments: str | Path) -> str:
    """What ``pytest-benchmark compare`` prints, without colours."""
    command = [sys.executable, "-m", "pytest_benchmark", "compare", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return re.sub("\x1b\\[[0-9;]*m", "", done.stdout + done.stderr)


def test_the_real_compare_shows_both_runs(export: Export, tmp_path: Path) -> None:
    for name, energies_j in (("1", (3.0, 3.3, 3.6)), ("2", (6.0, 6.6, 7.2))):
        written = export.written(
            "pytest-benchmark", export.experiment("a", export.measured(energies_j))
        )
        (tmp_path / f"{name}.json").write_text(written, encoding="utf-8")
    files = (tmp_path / "1.json", tmp_path / "2.json")
    shown = compare(*files, "--columns=min,mean,rounds", "--sort=mean")
    table = shown.split("benchmark 'J per output token (for seconds read joules)': 2 tests")[1]
    rows = [line.split() for line in table.splitlines() if line.startswith("test_chat[a] J/token")]
    assert [row[-5:] for row in rows] == [
        ["100.0000", "(1.0)", "110.0000", "(1.0)", "3"],
        ["200.0000", "(2.00)", "220.0000", "(2.00)", "3"],
    ]
    assert "benchmark 'seconds per output token': 2 tests" in shown
    between = compare(*files, "--between=mean")
    row = next(line for line in between.splitlines() if "test_chat[a] J/token" in line)
    assert row.split()[-1] == "+100.0%"


def test_energy_is_never_taken_for_time(export: Export) -> None:
    estimate = export.measured(method="estimated")
    benchmarks = export.document("pytest-benchmark", export.experiment("a", estimate))["benchmarks"]
    for benchmark in benchmarks:
        is_energy = "energy" in benchmark["extra_info"]["metric"]
        assert benchmark["extra_info"]["unit"].startswith("J" if is_energy else "s")
        assert ("joules" in benchmark["group"]) is is_energy
        assert benchmark["name"].endswith("(estimated)") is is_energy
        assert benchmark["extra_info"]["estimated"] is is_energy


def test_rounds_are_the_windows_of_all_processes(export: Export) -> None:
    processes = [export.experiment("a", export.measured((3.0, 3.6)), repeat=i) for i in range(2)]
    benchmarks = export.document("pytest-benchmark", *processes)["benchmarks"]
    of_tokens = next(one for one in benchmarks if one["extra_info"]["unit"] == "J/token")
    assert of_tokens["stats"]["data"] == pytest.approx([0.1, 0.12, 0.1, 0.12])
    assert of_tokens["stats"]["rounds"] == 4


def test_what_failed_or_is_invalid_is_left_out(export: Export, make: Make) -> None:
    document = export.document(
        "pytest-benchmark",
        export.experiment("a", outcome="failed", message="assert 0"),
        export.experiment("b", export.measured(valid=False)),
        export.experiment("c", make.measured()),
    )
    assert document["benchmarks"] == []


def test_the_verdict_stands_beside(export: Export, make: Make) -> None:
    document = export.document(
        "pytest-benchmark", export.experiment(judgements=[make.judgement("improved")])
    )
    said = {one["extra_info"]["metric"]: one["extra_info"] for one in document["benchmarks"]}
    assert said["energy_per_output_token_j"]["verdict"] == "improved"
    assert said["energy_per_output_token_j"]["explanation"] == "it is improved"
    assert said["duration_s"]["verdict"] is None


def test_a_name_is_without_file_and_class_whatever_its_id_holds(export: Export) -> None:
    named = export.experiment("a::b", group="bench/test_chat.py::TestChat::test_it")
    benchmarks = export.document("pytest-benchmark", named)["benchmarks"]
    assert {one["name"].partition(" ")[0] for one in benchmarks} == {"test_it[a::b]"}


@given(st.text())
def test_any_name_comes_back(export: Export, label: str) -> None:
    benchmarks = export.document("pytest-benchmark", export.experiment(label))["benchmarks"]
    assert {one["param"] for one in benchmarks} == {label or None}
    assert all(one["fullname"].startswith("bench/test_chat.py::test_chat") for one in benchmarks)
