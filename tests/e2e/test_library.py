"""The same experiments without pytest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llem import (
    ExperimentConfig,
    Resume,
    StudyConfig,
    judge_run,
    list_runs,
    plan_study,
    run_experiment,
    run_study,
    study_points,
)
from pytest_llem.errors import ConfigError
from pytest_llem.results.event_log import read_events
from pytest_llem.results.events import ChildDied, Loaded
from pytest_llem.results.store import RunStore
from pytest_llem.runs.library import default_settings

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {
    "windows": 2,
    "window_s": 0.2,
    "prefill_windows": 1,
    "warmup_min_s": 0.1,
    "warmup_max_s": 5,
}


def config(**fields: object) -> ExperimentConfig:
    asked = {"input_tokens": 16, "output_tokens": 8, "measurement": QUICK}
    return ExperimentConfig.model_validate({**asked, **fields})


def test_a_study_measures_every_experiment_and_keeps_it(tmp_path: Path) -> None:
    study = StudyConfig(name="sizes", experiments=(config(), config(batch_size=2)))
    told: list[str] = []
    result = run_study(
        study,
        settings=replace(default_settings(tmp_path), log=tmp_path / "log"),
        on_result=lambda one: told.append(one.experiment_id),
    )
    assert [one.outcome for one in result.results] == ["passed", "passed"]
    assert told == [one.experiment_id for one in result.results]
    tokens = [one.headline.output_tokens for one in result.results if one.headline]
    assert tokens == [8, 16]
    stored = {one.experiment_id: one for one in RunStore.open(result.run).results()}
    assert stored == {one.experiment_id: one for one in result.results}
    assert RunStore.open(result.run).manifest().state == "finished"
    logged = read_events(tmp_path / "log")
    loaded = [event for event in logged if isinstance(event, Loaded)]
    assert [event.experiment_id for event in loaded] == told
    assert all(event.versions["torch"] for event in loaded)
    assert (logged[0].event, logged[-1].event) == ("run_started", "run_finished")


def test_a_study_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    study = StudyConfig(name="sizes", experiments=(config(), config(batch_size=2)))
    settings = default_settings(tmp_path)

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, settings=settings, on_result=interrupt)
    (left,) = list_runs(settings.runs)
    assert (left.condition, left.done, left.planned) == ("interrupted", 1, 2)
    (first,) = RunStore.open(left.path).results()
    resumed = run_study(study, settings=replace(settings, resume=Resume(left.path)))
    assert resumed.run == left.path
    assert resumed.results[0] == first
    (whole,) = list_runs(settings.runs)
    assert (whole.condition, whole.done) == ("finished", 2)
    other = StudyConfig(name="sizes", experiments=(config(batch_size=3),))
    with pytest.raises(ConfigError, match="planned none of the experiments"):
        run_study(other, settings=replace(settings, resume=Resume(left.path)))


def test_an_experiment_that_fails_says_why_in_its_result(tmp_path: Path) -> None:
    result = run_experiment(config(model="builtin/tini"), settings=default_settings(tmp_path))
    assert result.outcome == "error"
    assert "builtin/tiny" in (result.message or "")
    assert result.headline is None


def test_an_experiment_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    settings = replace(default_settings(tmp_path), timeout_s=0.3, log=tmp_path / "log")
    result = run_experiment(config(), settings=settings)
    assert result.outcome == "timed_out"
    (died,) = [one for one in read_events(tmp_path / "log") if isinstance(one, ChildDied)]
    assert (died.experiment_id, died.timed_out) == (result.experiment_id, True)
    assert "timed out" in (result.message or "")


def test_a_device_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path) -> None:
    from pytest_llem.errors import LlemError

    settings = replace(default_settings(tmp_path), require_measured=True)
    with pytest.raises(LlemError, match="measured"):
        run_experiment(config(), settings=settings)


def test_a_study_file_is_run_and_judged_under_the_names_that_pytest_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sizes.llem.yaml").write_text(
        "base: {input_tokens: 16, output_tokens: 8}\n"
        "sweep: {batch_size: [1, 2], backend: [transformers, nowhere]}\n"
        "experiments: [{name: again, batch_size: 1}]\n"
        'gates: {energy_per_output_token_j: "5%"}\n'
    )
    study = study_points(
        "sizes.llem.yaml",
        overrides=[f"measurement.{k}={v}" for k, v in {**QUICK, "idle_s": 0}.items()],
    )
    plan = plan_study(study)
    assert [one.state for one in plan.points] == [*["valid", "invalid"] * 2, "duplicate"]
    done = run_study(study)
    assert [one.outcome for one in done.results] == ["passed", "passed"]
    assert {one.group for one in done.results} == {"sizes.llem.yaml::sizes"}
    assert len(done.skipped) == 3
    judged = judge_run(done.run, study.gates)
    assert [[each.verdict for each in one.judgements] for one in judged] == [["new"], ["new"]]
