"""Stored runs as they are listed and deleted, whatever state they are in."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import StoreError
from pytest_llem.results.environment import Environment
from pytest_llem.results.listing import delete_run, stored_run, stored_runs
from pytest_llem.results.manifest import PlannedExperiment
from pytest_llem.results.progress import progress_of
from pytest_llem.results.reopening import reopen
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.schema import ExperimentResult

    Make = Callable[..., ExperimentResult]

NAMES = ("chat-1", "chat-2", "chat-3")


def planned(name: str, fingerprint: str = "f") -> PlannedExperiment:
    return PlannedExperiment(
        experiment_id=name,
        label=name,
        config_hash=name,
        node_id=f"test_it.py::test_it[{name}]",
        fingerprint=fingerprint,
    )


@pytest.fixture
def run(tmp_path: Path) -> RunStore:
    """A run that has three experiments to do, with two processes each."""
    return RunStore.create(
        tmp_path / ".llem",
        command=["pytest"],
        environment=Environment(),
        planned=[planned(name) for name in NAMES],
        repeats=2,
        settings={"meter": "auto"},
        sources={"test_it.py": "0" * 64},
    )


def finish(run: RunStore, name: str, repeats: int, outcome: str = "passed") -> None:
    journal = run.journal()
    for repeat in range(repeats):
        key = (name, f"test_it.py::test_it[{name}]", repeat)
        journal.finished(key, outcome, f"{name}@{repeat}")  # type: ignore[arg-type]


def test_a_run_that_goes_on_is_running_and_one_that_was_killed_interrupted(run: RunStore) -> None:
    finish(run, "chat-1", 2)
    finish(run, "chat-2", 1)
    journal = run.journal()
    journal.join()
    (found,) = stored_runs(run.path.parent.parent)
    assert (found.condition, found.done, found.planned) == ("running", 1, 3)
    journal.let_go()
    assert stored_run(run.path).condition == "interrupted"


def test_what_was_skipped_or_could_not_begin_needs_no_further_process(run: RunStore) -> None:
    finish(run, "chat-1", 1, "skipped")
    run.journal().finished(("chat-2", "test_it.py::test_it[chat-2]", 0), "error", None)
    assert progress_of(run, run.manifest()).done == 2


def test_a_run_of_before_there_were_journals_counts_its_results(
    run: RunStore, make_result: Make
) -> None:
    for repeat in range(2):
        run.write_result(make_result(experiment_id="chat-1", repeat=repeat), None)
    run.write_result(make_result(experiment_id="chat-2"), None)
    assert progress_of(run, run.manifest()).done == 2


def test_verdicts_are_listed_and_outcomes_where_there_are_none(
    run: RunStore, make_result: Make
) -> None:
    run.write_result(make_result(), None)
    run.finish()
    assert stored_run(run.path).verdicts == {"passed": 1}
    run.finish(verdicts={"regressed": 1, "pass": 2})
    assert stored_run(run.path).verdicts == {"pass": 2, "regressed": 1}


def test_a_damaged_run_is_listed_with_what_is_wrong(run: RunStore) -> None:
    (run.path / "manifest.json").write_text("{")
    (found,) = stored_runs(run.path.parent.parent)
    assert found.condition == "damaged"
    assert found.problem is not None
    assert "manifest.json is corrupt" in found.problem


def test_a_damaged_journal_leaves_the_run_listed(run: RunStore) -> None:
    (run.path / "journal.jsonl").write_bytes(b"\x00\xff\n{}\n")
    assert stored_run(run.path).done == 0


def test_a_manifest_of_a_newer_version_asks_for_an_upgrade(run: RunStore) -> None:
    path = run.path / "manifest.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    assert "pip install --upgrade" in (stored_run(run.path).problem or "")


def test_deleting_takes_the_run_and_nothing_else(run: RunStore, tmp_path: Path) -> None:
    other = RunStore.create(tmp_path / ".llem", command=["pytest"], environment=Environment())
    delete_run(run.path)
    assert [one.run_id for one in stored_runs(tmp_path / ".llem")] == [other.run_id]
    assert not list((tmp_path / ".llem" / "runs").glob(".*.deleted"))


def test_a_run_that_goes_on_is_not_deleted(run: RunStore) -> None:
    journal = run.journal()
    journal.join()
    with pytest.raises(StoreError, match="in use by process"):
        delete_run(run.path)
    journal.let_go()
    assert run.manifest().planned


@pytest.mark.parametrize("missing", ["manifest.json", None])
def test_what_may_be_no_run_is_not_deleted(run: RunStore, missing: str | None) -> None:
    path = run.path
    if missing is None:
        path = run.path.rename(run.path.parent.parent / "elsewhere")
    else:
        (path / missing).unlink()
    with pytest.raises(StoreError, match="Delete it by hand"):
        delete_run(path)
    assert path.is_dir()


def test_half_a_deletion_is_no_run(run: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise PermissionError(13, "no", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", fail)
        with pytest.raises(StoreError, match="permission is denied"):
            delete_run(run.path)
    assert stored_runs(run.path.parent.parent) == []


def test_taking_a_run_up_again_reopens_its_manifest_and_tidies(run: RunStore) -> None:
    run.finish("interrupted", verdicts={"pass": 1})
    left = run.path / "results" / ".chat-1.json.claim"
    left.touch()
    reopen(run, ["pytest", "--llem-resume"], session="s", planned=[planned("chat-1")], repeats=1)
    manifest = run.manifest()
    assert (manifest.state, manifest.finished_at, manifest.counts) == ("running", None, None)
    assert manifest.repeats == 2
    assert [one.experiment_id for one in manifest.planned] == list(NAMES)
    assert manifest.resumptions[0].command == ("pytest", "--llem-resume")
    assert not left.exists()


def test_what_replaces_an_experiment_takes_its_place_in_the_plan(run: RunStore) -> None:
    other = planned("chat-2").model_copy(update={"experiment_id": "chat-9"})
    before = run.manifest().fingerprint
    reopen(run, ["pytest"], session="s", planned=[other, planned("chat-7")], repeats=3)
    manifest = run.manifest()
    ids = [one.experiment_id for one in manifest.planned]
    assert ids == ["chat-1", "chat-9", "chat-3", "chat-7"]
    assert manifest.repeats == 3
    assert None not in {before, manifest.fingerprint}
    assert manifest.fingerprint != before
