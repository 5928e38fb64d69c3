"""Gates from every place they can be declared in, and baselines from every place they can lie in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instruments import quick

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

EXPERIMENTS = """
import os
import time
import pytest

NAP_S = float(os.environ.get("NAP_S", "0.005"))

@pytest.mark.parametrize("name", ["long", "short"])
{mark}
def test_naps(energy, name):
    energy.measure(lambda: time.sleep(NAP_S))
"""
PLAIN = EXPERIMENTS.format(mark="")
QUICK = (*quick.QUICK, "--llem-isolation=none")
GATE = "--llem-gate=duration_s:20%"
WORSE = "0.2"
"""A nap forty times as long, which no gate passes."""


@pytest.fixture(scope="module")
def stored_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baselines of the plain experiments."""
    path = tmp_path_factory.mktemp("baselines")
    (path / "test_it.py").write_text(PLAIN)
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *QUICK]
    subprocess.run([*command, "--llem-update-baselines"], cwd=path, check=True)
    return path / "baselines"


@pytest.fixture
def slow(
    run: Run, pytester: pytest.Pytester, stored_once: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Store a baseline of the plain experiments, and then run much slower ones."""

    def slow(source: str, *options: str) -> pytest.RunResult:
        shutil.copytree(stored_once, pytester.path / "baselines")
        monkeypatch.setenv("NAP_S", WORSE)
        return run(source, *QUICK, "-v", *options)

    return slow


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Outcome by the parameter's name."""
    found = {}
    for line in result.outlines:
        for name in ("long", "short"):
            if f"test_naps[{name}] PASSED" in line or f"test_naps[{name}] FAILED" in line:
                found[name] = line.split()[1]
    return found


def git(directory: Path, *arguments: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(directory), *who, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("mark", "configured", "options", "failing"),
    [
        ("", "", [f"{GATE}@*long*"], {"long"}),
        ("", "", [GATE, "--llem-gate=duration_s:off@*[short]"], {"long"}),
        ("", "", [], set()),
        ("", 'duration_s = "20%"', [], {"long", "short"}),
        ("", 'duration_s = "20%"', ["--llem-gate=duration_s:99999%"], set()),
        ("", 'experiments."*short*".duration_s = "20%"', [], {"short"}),
        ("@pytest.mark.llem(gates={'duration_s': '20%'})", "", [], {"long", "short"}),
        ("@pytest.mark.llem(gates=['duration_s:off'])", 'duration_s = "20%"', [], set()),
        (
            "@pytest.mark.llem(gates={'duration_s': 'off'})",
            "",
            [GATE],
            {"long", "short"},
        ),
    ],
    ids=[
        "an option's glob",
        "off by option",
        "no gate",
        "configured",
        "an option over the configuration",
        "a configured glob",
        "a marker",
        "a marker over the configuration",
        "an option over a marker",
    ],
)
def test_a_gate_holds_where_it_was_declared_for(  # noqa: PLR0913, PLR0917 - a table of cases
    slow: Run,
    pytester: pytest.Pytester,
    mark: str,
    configured: str,
    options: list[str],
    failing: set[str],
) -> None:
    pytester.makefile(".toml", pyproject=f"[tool.llem.gates]\n{configured}\n")
    result = slow(EXPERIMENTS.format(mark=mark), *options)
    found = outcomes(result)
    assert {name for name, outcome in found.items() if outcome == "FAILED"} == failing
    assert len(found) == 2
    assert ("energy gate not passed" in result.stdout.str()) == bool(failing)


MARKED_PARAMETERS = """
import os
import time
import pytest

NAP_S = float(os.environ.get("NAP_S", "0.005"))
pytestmark = pytest.mark.llem(gates={"duration_s": "20%"})

@pytest.mark.parametrize(
    "name",
    ["long", pytest.param("short", marks=pytest.mark.llem(gates={"duration_s": "off"}))],
)
def test_naps(energy, name):
    energy.measure(lambda: time.sleep(NAP_S))
"""


def test_the_closest_marker_wins(slow: Run) -> None:
    assert outcomes(slow(MARKED_PARAMETERS)) == {"long": "FAILED", "short": "PASSED"}


@pytest.mark.parametrize(
    ("mark", "configured", "options", "said"),
    [
        ("", "", ["--llem-gate=latencies.ttft.p98_s:5%"], "Did you mean 'latencies.ttft.p9"),
        ("", 'duration = "5%"', [], "Did you mean 'duration_s'?"),
        ("", "duration_s = 5", [], "Write it as a text"),
        ("@pytest.mark.llem(gates={'ttfts': '5%'})", "", [], "Did you mean 'ttft_s'?"),
        ("@pytest.mark.llem(gates=5)", "", [], "among the gates of its llem marker is no text"),
        ("", "", ["--llem-gate=quality.accuracy:>=good"], "is no limit: write a number"),
    ],
)
def test_a_wrong_gate_stops_the_run_before_anything_is_measured(  # noqa: PLR0913, PLR0917 - as above
    run: Run,
    pytester: pytest.Pytester,
    mark: str,
    configured: str,
    options: list[str],
    said: str,
) -> None:
    pytester.makefile(".toml", pyproject=f"[tool.llem.gates]\n{configured}\n")
    result = run(EXPERIMENTS.format(mark=mark), *QUICK, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert "Traceback" not in result.stderr.str()
    assert not (pytester.path / ".llem").exists()


def test_baselines_of_another_branch_are_compared_with(
    slow: Run, run: Run, pytester: pytest.Pytester
) -> None:
    git(pytester.path, "init", "-q", "-b", "main")
    slow(PLAIN)
    git(pytester.path, "add", "baselines")
    git(pytester.path, "commit", "-qm", "fast")
    run(PLAIN, *QUICK, "--llem-update-baselines").assert_outcomes(passed=2)
    run(PLAIN, *QUICK, "--llem-gate=duration_s:90%").assert_outcomes(passed=2)
    against = run(PLAIN, *QUICK, GATE, "--llem-baseline-from=main")
    against.assert_outcomes(failed=2)
    run(PLAIN, *QUICK, GATE, "--llem-baseline-from=baselines").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mian", "neither a path nor a commit, branch or tag"),
        ("main:nowhere", "main has no baselines in nowhere/"),
        ("main", "main has no baselines in baselines/"),
    ],
)
def test_baselines_that_are_not_there_stop_the_run(
    run: Run, pytester: pytest.Pytester, where: str, said: str
) -> None:
    git(pytester.path, "init", "-q", "-b", "main")
    git(pytester.path, "commit", "-q", "--allow-empty", "-m", "nothing")
    result = run(PLAIN, *QUICK, GATE, f"--llem-baseline-from={where}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert not (pytester.path / ".llem").exists()


@pytest.mark.parametrize(
    ("choice", "verdict"), [("must-match", "incomparable"), ("ignore", "pass"), ("warn", "pass")]
)
def test_what_has_to_match_is_configured(
    run: Run, pytester: pytest.Pytester, choice: str, verdict: str
) -> None:
    git(pytester.path, "init", "-q", "-b", "main")
    git(pytester.path, "commit", "-q", "--allow-empty", "-m", "one")
    table = f'[tool.llem.baselines.match]\ncommit = "{choice}"\n'
    pytester.makefile(".toml", pyproject=table)
    run(PLAIN, *QUICK, "--llem-update-baselines").assert_outcomes(passed=2)
    git(pytester.path, "commit", "-q", "--allow-empty", "-m", "two")
    result = run(
        PLAIN, *QUICK, "--llem-gate=duration_s:99999%", "--llem-strict", "--junitxml=j.xml"
    )
    said = (pytester.path / "j.xml").read_text(encoding="utf-8")
    assert verdict in said
    result.assert_outcomes(**({"failed": 2} if verdict == "incomparable" else {"passed": 2}))
    assert ("commit " in said) == (choice != "ignore")


def test_a_further_session_extends_the_baseline_up_to_the_bound(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makefile(".toml", pyproject="[tool.llem.baselines]\nsessions = 2\n")
    for _ in range(3):
        run(PLAIN, *QUICK, "-k", "long", "--llem-extend-baselines").assert_outcomes(passed=1)
    (file,) = pytester.path.glob("baselines/**/*.json")
    (entry,) = json.loads(file.read_text(encoding="utf-8"))["entries"].values()
    assert [one["provenance"]["by"] for one in entry["sessions"]] == ["extend", "extend"]
    assert [one["begins"] for one in entry["sessions"]] == [False, False]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("<<<<<<< HEAD\n{\n=======\n", "an unresolved merge conflict"),
        ('{"entries":', "is cut off"),
        ('{"schema_version": 99}', "was written by a newer pytest-llem"),
    ],
)
def test_a_damaged_baseline_fails_the_gate_and_stays_as_it_is(
    run: Run, pytester: pytest.Pytester, stored_once: Path, damage: str, said: str
) -> None:
    shutil.copytree(stored_once, pytester.path / "baselines")
    (file,) = pytester.path.glob("baselines/**/*.json")
    file.write_text(damage, encoding="utf-8")
    gated = run(PLAIN, *QUICK, "-k", "long", GATE)
    gated.assert_outcomes(failed=1)
    assert said in gated.stdout.str()
    updated = run(PLAIN, *QUICK, "-k", "long", "--llem-update-baselines")
    updated.assert_outcomes(passed=1)
    assert said in updated.stdout.str()
    assert file.read_text(encoding="utf-8") == damage


def test_experiments_without_a_gate_have_the_first_look_only(
    run: Run, pytester: pytest.Pytester
) -> None:
    """With looks, those that a gate leaves undecided go on; the others have the first look."""
    pytester.makefile(
        ".toml", pyproject='[tool.llem.gates.experiments."*long*"]\nduration_s = "0%"'
    )
    quick = [*QUICK[:-1], "--llem-repeats=2"]
    run(PLAIN, *quick, "--llem-update-baselines").assert_outcomes(passed=2)
    result = run(PLAIN, *quick, "--llem-max-repeats=3")
    result.assert_outcomes(passed=2)
    found = pytester.path.glob(".llem/runs/*/results/*.json")
    stored = [json.loads(file.read_text(encoding="utf-8")) for file in found]
    latest = max(one["run_id"] for one in stored)
    labels = [one["label"] for one in stored if one["run_id"] == latest]
    assert labels.count("short") == 2
    assert labels.count("long") in {2, 3}  # another process may be no use


def test_looks_need_a_gate_from_anywhere(run: Run) -> None:
    result = run(PLAIN, *QUICK[:-1], "--llem-max-repeats=3")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Add a --llem-gate" in result.stderr.str()
