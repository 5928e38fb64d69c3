"""The HTML report, as users of pytest and of ``llem`` ask for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instruments.quick import QUICK

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    Run = Callable[..., pytest.RunResult]

EXPERIMENTS = """
import time
import pytest

@pytest.mark.parametrize("naps", [1, 2])
def test_naps(energy, naps):
    energy.measure(lambda: time.sleep(naps / 100))

def test_wrong(energy):
    energy.measure(lambda: time.sleep(0.01))
    assert False, "</script><script>"
"""


def data(path: Path) -> dict[str, Any]:
    (text,) = re.findall(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = json.loads(text)
    return found


def llem(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest_llem", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_run_is_written_once_it_has_ended_and_again_when_asked(run: Run) -> None:
    finished = run(EXPERIMENTS, *QUICK, "--llem-html=out/report.html")
    finished.stdout.fnmatch_lines(["report: *report.html", "results: *"])
    written = data(Path("out/report.html"))
    assert [one["word"] for one in written["experiments"]] == ["measured", "measured", "failed"]
    assert all(one["estimated"] for one in written["experiments"])
    told = llem("runs", "html", "-o", "again.html")
    assert (told.returncode, told.stdout.strip()) == (0, "report: again.html")
    again = data(Path("again.html"))
    assert again["experiments"] == written["experiments"]
    assert again["columns"] == written["columns"]


def test_a_run_of_before_gets_its_timelines_by_recomputing(run: Run) -> None:
    run(EXPERIMENTS, *QUICK, "-k", "naps")
    (store,) = Path(".llem/runs").iterdir()
    previews = sorted((store / "previews").iterdir())
    kept = [path.read_bytes() for path in previews]
    assert len(previews) == 2
    for path in previews:
        path.unlink()
    told = llem("recompute", str(store))
    assert "2 previews made for reports" in told.stdout
    assert [path.read_bytes() for path in previews] == kept
    assert "preview" not in llem("recompute", str(store)).stdout


def test_a_run_keeps_what_it_was_compared_with(run: Run) -> None:
    gate = "--llem-gate=duration_s:50%"
    run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-update-baselines")
    run(EXPERIMENTS, *QUICK, "-k", "naps", gate)
    latest = max(Path(".llem/runs").iterdir())
    compared = json.loads((latest / "compared.json").read_text())
    assert len(compared["baselines"]) == 2
    for (metric,) in compared["baselines"].values():
        assert metric["metric"] == "duration_s"
        assert len(metric["sessions"][0]["processes"]) == 1


def test_a_directory_is_refused_before_anything_is_measured(run: Run) -> None:
    Path("out").mkdir()
    refused = run(EXPERIMENTS, *QUICK, "--llem-html=out")
    assert refused.ret != 0
    assert "Name a file: --llem-html=" in refused.stdout.str() + refused.stderr.str()
    assert not Path(".llem").exists()


def test_a_report_that_cannot_be_written_costs_no_result(run: Run) -> None:
    Path("file").write_text("")
    finished = run(EXPERIMENTS, *QUICK, "-k", "naps", "--llem-html=file/report.html")
    finished.assert_outcomes(passed=2)
    finished.stdout.fnmatch_lines(["*cannot write the report*Results are kept*"])


LATE = """
import time
import pytest

@pytest.mark.parametrize("name", list("abcd"))
def test_late(energy, name):
    energy.measure(lambda: sum(range(1000)))
    time.sleep(2 if name == "a" else 0)
"""


def test_workers_of_xdist_come_together_in_one_report_in_the_order_of_the_plan(run: Run) -> None:
    ran = run(LATE, *QUICK, "--llem-isolation=none", "-n2", "--llem-html=report.html")
    written = data(Path("report.html"))
    assert [one["label"] for one in written["experiments"]] == list("abcd")
    for text in (ran.stdout.str(), llem("runs", "show").stdout):
        assert re.findall(r"^  ([abcd]) .*~", text, re.MULTILINE) == list("abcd")


KILLED = """
import os
import signal
import pytest

@pytest.mark.parametrize("name", list("abc"))
def test_killed(energy, name):
    if name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    energy.measure(lambda: sum(range(1000)))
"""


def test_what_a_killed_run_had_finished_is_reported_with_what_is_missing(run: Run) -> None:
    run(KILLED, *QUICK, "--llem-isolation=none", "--llem-html=report.html")
    assert not Path("report.html").exists()
    told = llem("runs", "html")
    assert (told.returncode, told.stdout.strip()) == (0, "report: report.html")
    written = data(Path("report.html"))
    assert [one["label"] for one in written["experiments"]] == ["a"]
    names = "test_it.py::test_killed[b], test_it.py::test_killed[c]"
    missing = f"INCOMPLETE: 2 of 3 experiments did not finish: {names}."
    assert any(text.startswith(missing) for text in written["caveats"])
    assert missing in llem("runs", "show").stdout
