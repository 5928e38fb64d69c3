"""Results in other formats, as users of pytest and of ``llem`` ask for them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instruments.distributions import install
from instruments.quick import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, object]]]

EXPERIMENTS = """
import time
import pytest

@pytest.mark.parametrize("naps", [1, 2])
def test_naps(energy, naps):
    energy.measure(lambda: time.sleep(naps / 100))

def test_wrong(energy):
    energy.measure(lambda: time.sleep(0.01))
    assert False, "=1+1, said, \\"it\\""
"""
EXPORTER = """
class {name}:
    name = "{registered}"
    api_version = 1
    def export(self, experiments, path):
        {body}
"""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def offer(site: Path, body: str) -> None:
    source = EXPORTER.format(name="Names", registered="names", body=body)
    install(
        site, "llem-names", {"llem_names": source}, [("exporters", "names", "llem_names:Names")]
    )


def test_a_row_a_process_with_every_value_of_its_result(run: Run, stored: Stored) -> None:
    finished = run(EXPERIMENTS, *QUICK, "--llem-repeats=2", "--llem-export=csv:out/it.csv")
    finished.assert_outcomes(passed=2, failed=1)
    results = {(r["label"], r["repeat"]): r for r in stored()}
    found = rows(Path("out/it.csv"))
    assert {(row["label"], int(row["repeat"])) for row in found} == set(results)
    for row in found:
        result = results[row["label"], int(row["repeat"])]
        (measured, *_) = result["measurements"]  # type: ignore[misc]
        assert float(row["energy_j"]) == measured["energy_j"]
        assert row["outcome"] == result["outcome"]
        assert row["energy_estimated"] == "true"
        assert row["valid_windows"] == "2"
        assert row["config.measurement.windows"] == "2"
    assert {row["argument.naps"] for row in found} == {"1", "2", ""}


def test_what_a_test_said_is_neither_cut_nor_a_formula(run: Run) -> None:
    run(EXPERIMENTS, *QUICK, "-k", "wrong", "--llem-export=csv:it.csv")
    (row,) = rows(Path("it.csv"))
    assert '"it"' in row["message"]
    assert not row["message"].startswith("=")


def test_what_gates_said_stands_beside(run: Run) -> None:
    run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-update-baselines")
    gate = "--llem-gate=duration_s:900%"
    run(EXPERIMENTS, *QUICK, "-k", "naps", gate, "--llem-export=csv:it.csv")
    for row in rows(Path("it.csv")):
        assert row["gate.duration_s.verdict"] == "pass"
        low, change, high = (
            float(row[f"gate.duration_s.{name}"])
            for name in ("change_low", "change", "change_high")
        )
        assert low <= change <= high


def test_a_stored_run_is_exported_afterwards(run: Run) -> None:
    run(EXPERIMENTS, *QUICK, "--llem-export=csv:first.csv")
    (folder,) = Path(".llem/runs").iterdir()
    command = [sys.executable, "-m", "pytest_llem", "export", folder.name, "csv:second.csv"]
    subprocess.run(command, check=True)
    assert sorted(map(str, rows(Path("first.csv")))) == sorted(map(str, rows(Path("second.csv"))))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("csw:it.csv", "no exporter is called 'csw'. Did you mean 'csv'?"),
        ("csv", "Write NAME:PATH, such as csv:results.csv."),
        ("csv:.", "is a directory"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(run: Run, asked: str, said: str) -> None:
    finished = run(EXPERIMENTS, f"--llem-export={asked}")
    assert finished.ret == pytest.ExitCode.USAGE_ERROR
    finished.stderr.fnmatch_lines([f"*{said}*"])
    finished.stderr.no_fnmatch_line("*Traceback*")
    assert not Path(".llem").exists()


def test_another_distributions_exporter_gets_results_and_verdicts(run: Run, site: Path) -> None:
    body = "path.write_text(' '.join(sorted(one.result.label for one in experiments)))"
    offer(site, body)
    run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-export=names:labels.txt")
    assert Path("labels.txt").read_text(encoding="utf-8").split() == ["1", "2"]
    listing = subprocess.run(
        [sys.executable, "-m", "pytest_llem", "components", "--json", "--check"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert any('"names"' in json.dumps(one) for one in json.loads(listing.stdout))


def test_an_exporter_that_fails_loses_neither_results_nor_other_exports(
    run: Run, site: Path, stored: Stored
) -> None:
    offer(site, "raise KeyError('label')")
    exports = ("--llem-export=names:labels.txt", "--llem-export=csv:it.csv")
    finished = run(EXPERIMENTS, *QUICK, "-k", "naps", *exports)
    finished.assert_outcomes(passed=2)
    finished.stdout.fnmatch_lines(["llem: names export: KeyError: 'label'. Tell the authors*"])
    finished.stdout.no_fnmatch_line("*Traceback*")
    assert len(rows(Path("it.csv"))) == len(stored()) == 2


def test_a_file_that_cannot_be_written_is_told_with_its_reason(run: Run, stored: Stored) -> None:
    Path("taken").touch()
    finished = run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-export=csv:taken/it.csv")
    finished.assert_outcomes(passed=2)
    finished.stdout.fnmatch_lines(["llem: csv export: cannot write *taken/it.csv: *"])
    assert len(stored()) == 2


def test_all_workers_results_are_in_one_file(run: Run) -> None:
    run(EXPERIMENTS, *QUICK, "-n2", "--llem-export=csv:it.csv")
    assert {row["label"] for row in rows(Path("it.csv"))} >= {"1", "2"}
    assert len(rows(Path("it.csv"))) == 3


def test_what_the_run_took_is_said_if_asked(run: Run) -> None:
    Path("pyproject.toml").write_text("[tool.llem.cost]\ngrid_gco2e_per_kwh = 380\n")
    finished = run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-cost")
    finished.stdout.fnmatch_lines(
        ["cost: time * s, energy ~*J, tokens out *, gCO2e ~*", "cost: llem cost 2*"]
    )
    Path("pyproject.toml").write_text("[tool.llem.cost]\npue = 0.5\n")
    refused = run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-cost")
    assert "pue" in refused.stdout.str() + refused.stderr.str()
    refused.stderr.no_fnmatch_line("*Traceback*")
