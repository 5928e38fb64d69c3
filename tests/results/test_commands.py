"""``llem runs`` as it is typed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pytest_llem.baselines.json_schema import VERDICTS_FILE_NAME, verdicts_schema
from pytest_llem.baselines.kept import JudgedExperiment, Verdicts, keep_verdicts
from pytest_llem.baselines.verdict import Judgement
from pytest_llem.cli import app
from pytest_llem.config.document_schema import main
from pytest_llem.errors import LlemError
from pytest_llem.reports.runs import list_lines
from pytest_llem.results.listing import stored_run
from pytest_llem.results.manifest import Drift, PlannedExperiment
from pytest_llem.results.reopening import reopen
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from pytest_llem.results.schema import ExperimentResult

    Llem = Callable[..., Result]

JUDGEMENT = Judgement(
    verdict="regressed",
    metric="energy_j",
    measurement="workload",
    candidate=100.1,
    baseline=80.0,
    change=0.25,
    interval=(0.2, 0.3),
    tolerance="5%",
    minimum_detectable_change=0.01,
    explanation="energy_j is 25 % more",
)


@pytest.fixture
def llem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Llem:
    """The command, where ``.llem`` is the one of ``store``; what it refuses is output, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def llem(*arguments: str, text: str | None = None) -> Result:
        result = CliRunner().invoke(app, ["runs", *arguments], input=text)
        if isinstance(result.exception, LlemError):
            result.output_bytes += str(result.exception).encode()
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return llem


@pytest.fixture
def ended(store: RunStore, make_result: Callable[..., ExperimentResult]) -> RunStore:
    """A run that has ended, with a verdict."""
    path = store.write_result(make_result(), None)
    judged = JudgedExperiment(result=path.stem, gates=("energy_j:5%",), judgements=(JUDGEMENT,))
    keep_verdicts(store, Verdicts(experiments=(judged,)))
    store.finish(verdicts={"regressed": 1})
    return store


def test_list_shows_a_line_a_run_and_json_the_same(llem: Llem, ended: RunStore) -> None:
    lines = llem("list").output.splitlines()
    assert lines[0].split() == ["run", "begun", "(UTC)", "state", "verdicts", "size"]
    assert lines[1].startswith(ended.run_id)
    assert "finished, 0 experiments" in lines[1]
    assert "1 regressed" in lines[1]
    (one,) = json.loads(llem("list", "--json").output)
    assert (one["run_id"], one["state"]) == (ended.run_id, "finished")
    assert one["size_bytes"] > 1000


def test_a_narrow_list_leaves_out_what_the_id_says_already(ended: RunStore) -> None:
    runs = [stored_run(ended.path)]
    wide, narrow = list_lines(runs, 200), list_lines(runs, 80)
    assert wide == list_lines(runs)
    assert [line.split() for line in narrow] == [
        ["run", "state", "verdicts", "size"],
        [ended.run_id, "finished,", "0", "experiments", "1", "regressed", *wide[1].split()[-2:]],
    ]


def test_list_shows_the_latest_only_where_that_is_asked_for(
    llem: Llem, ended: RunStore, tmp_path: Path
) -> None:
    latest = RunStore.create(tmp_path / ".llem", command=["p"], environment=ended.environment())
    assert latest.run_id in llem("list", "-n", "1").output
    assert ended.run_id not in llem("list", "-n", "1").output
    assert ended.run_id in llem("list").output


def test_no_runs_are_no_error(llem: Llem) -> None:
    assert "no runs in .llem/runs" in llem("list").output
    assert "Run some experiments first" in llem("show").output


def test_show_gives_the_report_with_its_verdicts(llem: Llem, ended: RunStore) -> None:
    reopen(
        ended,
        ["/x/pytest/__main__.py", "--llem-resume"],
        session="s",
        planned=[PlannedExperiment(experiment_id="chat-1", label="1", config_hash="c")],
        repeats=1,
        drift=[Drift(field="environment.threads", before=None, now=4)],
    )
    for run in ([], [ended.run_id], [ended.run_id[:-3]], [str(ended.path)]):
        said = llem("show", "-v", *run).output
        assert f"run {ended.run_id}: interrupted at 1 of 1" in said
        assert "with: pytest bench/" in said
        assert "with: pytest --llem-resume" in said
        assert "changed by then: environment.threads: None → 4" in said
        assert "regressed" in said
        assert "energy_j: is 25 % more" in said
        assert f"the same command and --llem-resume={ended.run_id}" in said


def test_show_of_a_run_without_verdicts_shows_what_there_is(
    llem: Llem, store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    store.write_result(make_result(outcome="crashed", message="killed by SIGSEGV"), None)
    (store.path / "results" / "torn.json").write_text("{")
    (store.path / "verdicts.json").write_text("[]")
    (store.path / "environment.json").unlink()
    said = llem("show").output
    assert "killed by SIGSEGV" in said
    for problem in ("torn.json is corrupt", "verdicts.json is not", "environment.json"):
        assert problem in said


def test_delete_asks_somebody_who_is_there(llem: Llem, ended: RunStore) -> None:
    refused = llem("delete", ended.run_id)
    assert refused.exit_code == 1
    assert "say --yes" in refused.output
    assert ended.path.is_dir()
    deleted = llem("delete", ended.run_id[:-2], "--yes")
    assert deleted.output.splitlines()[-1] == f"deleted {ended.path}"
    assert not ended.path.exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_answer_decides(
    llem: Llem, ended: RunStore, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("pytest_llem.commands.runs._somebody_is_there", lambda: True)
    assert llem("delete", ended.run_id, text=f"{answer}\n").exit_code == (answer == "n")
    assert ended.path.exists() == (answer == "n")


def test_a_run_that_goes_on_is_kept(llem: Llem, ended: RunStore) -> None:
    journal = ended.journal()
    journal.join()
    result = llem("delete", ended.run_id, "--yes")
    assert result.exit_code == 1
    assert "in use by process" in result.output
    assert ended.path.is_dir()
    journal.let_go()


def test_what_names_several_runs_or_none_is_refused(
    llem: Llem, ended: RunStore, tmp_path: Path
) -> None:
    RunStore.create(tmp_path / ".llem", command=["p"], environment=ended.environment())
    assert "is how 2 runs begin" in llem("delete", "20", "--yes").output
    assert "'x' is no run" in llem("show", "x").output
    assert "is no run of pytest-llem" in llem("delete", str(tmp_path), "--yes").output


def test_export_and_recompute_are_there_too(llem: Llem, ended: RunStore, tmp_path: Path) -> None:
    assert llem("export", ended.run_id, "csv:t.csv").exit_code == 0
    assert (tmp_path / "t.csv").read_text().count("\n") == 2
    assert "of 1 measurements came out equal" in llem("recompute", ended.run_id).output


def test_the_committed_schema_of_verdicts_is_that_of_the_model(
    ended: RunStore, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    assert main([str(tmp_path)], {VERDICTS_FILE_NAME: verdicts_schema()}) == 0
    committed = (pytestconfig.rootpath / "schemas" / VERDICTS_FILE_NAME).read_text()
    assert committed == (tmp_path / VERDICTS_FILE_NAME).read_text()
    validator = jsonschema.Draft202012Validator(verdicts_schema())
    validator.validate(json.loads((ended.path / "verdicts.json").read_text()))
