"""``llem baseline`` and ``llem history``, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.store import BaselineStore, How
from pytest_llem.results.environment import collect_environment
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]

NODE = "bench/test_chat.py::test_chat[batch_size=1]"


def llem(directory: Path, *arguments: str, fails: bool = False) -> str:
    """What the command says in *directory*; on standard error if it is to fail."""
    done = finished(started(directory, *arguments))
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def started(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pytest_llem", *arguments],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"},
    )


def finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def git(directory: Path, *arguments: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(directory), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment) -> Path:
    """A repository with committed baselines of two experiments."""
    results = [make_result([0.4], config={"batch_size": size}) for size in (1, 2)]
    BaselineStore(tmp_path / "baselines").update(results, make_environment())
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


@pytest.fixture
def keep(project: Path, make_result: MakeResult) -> Callable[..., RunStore]:
    """Store a run with results that have these J/token, and these changes."""

    def keep(*values: float, repeats: int = 1, **changes: Any) -> RunStore:
        environment = collect_environment(project, {"driver_version": "550.54.15"})
        store = RunStore.create(
            project / ".llem", command=["pytest"], environment=environment, repeats=repeats
        )
        for size, value in enumerate(values, 1):
            node_id = f"bench/test_chat.py::test_chat[batch_size={size}]"
            config = {"batch_size": size}
            facts = {"run_id": store.run_id, "config": config, "node_id": node_id, **changes}
            store.write_result(make_result([value], **facts), None)
        return store

    return keep


@pytest.fixture
def history(
    project: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> Callable[..., None]:
    """Add a session for each of these values to the first experiment."""

    def history(*values: float) -> None:
        store = BaselineStore(project / "baselines")
        for number, value in enumerate(values):
            how = How("extend", extends=True, sessions=99)
            result = make_result([value], run_id=f"day-{number:02}")
            store.update([result], make_environment(), how)

    return history


def test_the_list_has_each_experiment_with_its_value(project: Path) -> None:
    said = llem(project, "baseline", "list")
    assert "bench/test_chat.py::test_chat  on nvidia-h100-80gb-hbm3-x1" in said
    (row,) = [line for line in said.splitlines() if "batch_size=1" in line]
    assert row.split() == ["batch_size=1", "0.400", "J/token", "1", "2026-11-02", "012345678"]
    records = json.loads(llem(project, "baseline", "list", "--json"))
    assert [record["experiment"][-1:] for record in records] == ["]", "]"]
    assert records[0]["value"] == pytest.approx(0.4)
    assert records[0]["sessions"][0]["by"] == "update"


def test_the_list_can_be_of_some_and_of_another_place(project: Path) -> None:
    assert "batch_size=2" not in llem(project, "baseline", "list", NODE)
    assert "no baselines that 'nothing' names" in llem(project, "baseline", "list", "nothing")
    assert "no baselines" in llem(project, "baseline", "list", "--hardware", "*a100*")
    assert "no baselines in empty" in llem(project, "baseline", "list", "--baselines", "empty")
    assert llem(project, "baseline", "list", "--from", "main") == llem(project, "baseline", "list")
    assert "neither a path nor" in llem(project, "baseline", "list", "--from", "x", fails=True)


def test_all_of_a_baseline_is_shown(project: Path) -> None:
    said = llem(project, "baseline", "show", NODE)
    assert said.startswith(NODE)
    for expected in (
        "NVIDIA H100 80GB HBM3",
        "torch 2.13.0",
        "run-1",
        "0.400 J/token",
        "550.54.15",
    ):
        assert expected in said
    (record,) = json.loads(llem(project, "baseline", "show", NODE, "--json"))
    assert record["values"]["workload"]["decode.energy_j"] == pytest.approx(19.2)
    assert record["fingerprint"]["scope"] == "gpu"
    assert "no baselines" in llem(project, "baseline", "show", "nothing", fails=True)


def test_the_difference_to_the_last_commit_is_what_was_accepted(
    project: Path, keep: Callable[..., RunStore]
) -> None:
    assert llem(project, "baseline", "diff") == "no baseline differs\n"
    run = keep(0.5)
    said = llem(project, "baseline", "accept", run.run_id, "--reason", "slower but exact")
    assert said.startswith("accepted  test_chat-")
    said = llem(project, "baseline", "diff", fails=True)
    assert f"~ {NODE}" in said
    assert "energy_per_output_token_j  0.400 → 0.500 J/token  +25.0 %" in said
    assert "reason: slower but exact" in said
    assert "batch_size=2" not in said
    (record,) = json.loads(llem(project, "baseline", "diff", "--json", fails=True))
    assert record["change"] == "changed"
    only = llem(project, "baseline", "diff", "main", "--metric", "ttft_s", fails=True)
    assert "energy" not in only
    assert llem(project, "baseline", "diff", "main", "HEAD") == "no baseline differs\n"
    wrong = llem(project, "baseline", "diff", "--metric", "tttft_s", fails=True)
    assert "Did you mean 'ttft_s'?" in wrong


def test_what_was_added_or_removed_differs_too(project: Path) -> None:
    llem(project, "baseline", "prune", "--remove", NODE)
    assert f"- {NODE}" in llem(project, "baseline", "diff", fails=True)
    assert f"+ {NODE}" in llem(project, "baseline", "diff", "baselines", "HEAD", fails=True)


def test_a_reason_has_to_be_given(project: Path, keep: Callable[..., RunStore]) -> None:
    run = keep(0.5)
    assert "--reason" in llem(project, "baseline", "accept", run.run_id, fails=True)
    blank = llem(project, "baseline", "accept", run.run_id, "--reason", " \n", fails=True)
    assert "accepted for a reason" in blank
    assert llem(project, "baseline", "diff") == "no baseline differs\n"


def test_the_reason_is_kept_where_people_look(project: Path, keep: Callable[..., RunStore]) -> None:
    run = keep(0.5, 0.5)
    llem(project, "baseline", "accept", str(run.path), "--reason", "new\nscheduler: “fair”")
    for command in ("list", "show"):
        assert "new scheduler: “fair”" in llem(project, "baseline", command)
    (record, _) = json.loads(llem(project, "baseline", "list", "--json"))
    assert [one["current"] for one in record["sessions"]] == [False, True]
    assert record["sessions"][1]["reason"] == "new scheduler: “fair”"


def test_some_of_a_run_can_be_accepted_or_added(
    project: Path, keep: Callable[..., RunStore]
) -> None:
    run = keep(0.5, 0.6)
    options = ("--reason", "x", "--experiments", "*batch_size=2*", "--extend")
    llem(project, "baseline", "accept", run.run_id, *options)
    first, second = json.loads(llem(project, "baseline", "list", "--json"))
    assert [one["current"] for one in first["sessions"]] == [True]
    assert [one["current"] for one in second["sessions"]] == [True, True]
    none = llem(
        project, "baseline", "accept", run.run_id, "--reason", "x", "--experiments", "y", fails=True
    )
    assert "holds no results that 'y' names" in none
    assert "is no run" in llem(project, "baseline", "accept", "nil", "--reason", "x", fails=True)


def test_what_failed_or_is_incomplete_is_not_accepted(
    project: Path, keep: Callable[..., RunStore]
) -> None:
    said = llem(
        project,
        "baseline",
        "accept",
        keep(0.1, outcome="failed").run_id,
        "--reason",
        "x",
        fails=True,
    )
    assert "refused   test_chat-" in said
    assert "it failed" in said
    partial = keep(0.1, repeats=3)
    said = llem(project, "baseline", "accept", partial.run_id, "--reason", "x", fails=True)
    assert "1 of 3 processes ran" in said
    assert llem(project, "baseline", "diff") == "no baseline differs\n"


def test_histories_are_shortened(project: Path, history: Callable[..., None]) -> None:
    history(*[0.4] * 5)
    assert "6 → 3 sessions" in llem(project, "baseline", "prune", "--sessions", "3", "--dry-run")
    assert "6 → 3 sessions" in llem(project, "baseline", "prune", "--sessions", "3")
    assert llem(project, "baseline", "prune", "--sessions", "3") == "nothing to prune\n"
    (project / "pyproject.toml").write_text("[tool.llem.baselines]\nsessions = 2")
    assert "3 → 2 sessions" in llem(project, "baseline", "prune")


def test_what_nothing_is_compared_with_can_go(
    project: Path, keep: Callable[..., RunStore], history: Callable[..., None]
) -> None:
    history(0.4, 0.4)
    llem(project, "baseline", "accept", keep(0.5).run_id, "--reason", "x")
    assert "4 → 1 sessions" in llem(project, "baseline", "prune", "--history")


def test_two_that_accept_at_once_lose_nothing(project: Path, keep: Callable[..., RunStore]) -> None:
    runs = [keep(0.5), keep(0.6), keep(0.7)]
    command = ("baseline", "accept", "--reason", "x", "--extend")
    for process in [started(project, *command, run.run_id) for run in runs]:
        done = finished(process)
        assert done.returncode == 0, done.stderr
    first, _ = json.loads(llem(project, "baseline", "list", "--json"))
    assert {one["run_id"] for one in first["sessions"]} == {"run-1", *(run.run_id for run in runs)}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("<<<<<<< HEAD\n{\n=======\n>>>>>>> main\n", ":1: an unresolved merge conflict"),
        ('{"entries": {', "is cut off"),
        ('{"schema_version": 9}', "was written by a newer pytest-llem"),
    ],
)
def test_a_damaged_file_is_named_by_every_command_and_left_alone(
    project: Path, keep: Callable[..., RunStore], damage: str, said: str
) -> None:
    run = keep(0.5).run_id
    (path,) = (project / "baselines").rglob("*.json")
    path.write_text(damage, encoding="utf-8")
    for command in (
        ["baseline", "list"],
        ["baseline", "show"],
        ["baseline", "diff"],
        ["baseline", "accept", run, "--reason", "x"],
        ["baseline", "prune", "--sessions", "1"],
        ["history"],
    ):
        told = llem(project, *command, fails=True)
        assert said in told
        assert path.name in told
    assert path.read_text(encoding="utf-8") == damage


def test_a_step_in_a_history_is_marked_with_its_size(
    project: Path, history: Callable[..., None]
) -> None:
    history(0.401, 0.402, 0.399, 0.4, 0.398, 0.481, 0.478, 0.48, 0.482, 0.479, 0.48)
    said = llem(project, "history", NODE)
    marked = [line for line in said.splitlines() if "change" in line]
    assert len(marked) == 1
    assert "day-05" in marked[0]
    assert "◀ change +20.0 % (p = 0.0" in marked[0]
    (record,) = json.loads(llem(project, "history", NODE, "--json"))
    points = [point["change_point"] for point in record["points"]]
    assert points.index(True) == 6
    assert sum(points) == 1
    assert record["points"][6]["value"] == pytest.approx(0.481)


def test_a_steady_or_short_history_has_no_mark(project: Path, history: Callable[..., None]) -> None:
    history(0.401, 0.402)
    assert "3 sessions are too few" in llem(project, "history", NODE)
    history(0.401, 0.402, 0.399, 0.4, 0.398, 0.403, 0.397, 0.4, 0.401, 0.402)
    assert "◀" not in llem(project, "history", NODE)


def test_a_history_is_of_any_metric_and_place(project: Path, history: Callable[..., None]) -> None:
    history(0.5, 0.6)
    said = llem(project, "history", "--metric", "decode.duration_s", "--from", "main")
    assert said.count("decode.duration_s") == 2
    assert "day-00" not in said
    assert "is known of none of 2 experiments" in llem(
        project, "history", "--metric", "latencies.ttft.p99_s", fails=True
    )
    assert "Did you mean" in llem(project, "history", "--metric", "energy_k", fails=True)
    assert "no baselines" in llem(project, "history", "--hardware", "x", fails=True)
    assert "Invalid value for '--significance'" in llem(
        project, "history", "--significance", "0.001", fails=True
    )


def test_a_terminal_without_our_signs_gets_others(
    project: Path, history: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    history(0.5)
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert "+25.0 %" in llem(project, "history", NODE)
