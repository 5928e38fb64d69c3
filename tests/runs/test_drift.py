"""What keeps a run from going on as it began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import config_hash
from pytest_llem.plan.point import Point
from pytest_llem.results.environment import Environment
from pytest_llem.results.environment.snapshot import Git, Gpu
from pytest_llem.results.manifest import Drift, Manifest, PlannedExperiment
from pytest_llem.runs.resuming.drift import (
    SHOWN,
    described,
    drift_of_environment,
    drift_of_mapping,
    drift_of_plan,
    of_another_project,
)
from pytest_llem.runs.resuming.plan import planned_experiments
from pytest_llem.runs.settings import RunSettings

THEN = Environment(
    os="Example 1",
    driver_version="550.1",
    load_1m=0.1,
    steal_share=0.0,
    gpus=(Gpu(uuid="GPU-1", power_limit_w=700.0),),
    packages={"torch": "2.6", "vllm": "0.20"},
    git=Git(commit="abc", branch="main", dirty=False),
)


def planned(label: str = "a", **fields: Any) -> PlannedExperiment:
    config = ExperimentConfig(**fields)
    point = Point("bench/test_chat.py::test_chat", label, config, config_hash(config))
    settings = RunSettings(project=Path(), runs=Path(), baselines=Path())
    (one,) = planned_experiments([point], settings, of_pytest=True)
    return one


def manifest(*plan: PlannedExperiment) -> Manifest:
    return Manifest(
        run_id="20261103", tool_version="2.0", command=("pytest",), planned=plan, started_at="then"
    )


def fields(drift: list[Drift]) -> dict[str, tuple[Any, Any]]:
    return {one.field: (one.before, one.now) for one in drift}


def test_the_same_environment_has_not_drifted() -> None:
    assert drift_of_environment(THEN, THEN) == []


def test_what_changes_by_itself_is_no_drift() -> None:
    busy = THEN.model_copy(update={"load_1m": 3.9, "steal_share": 0.2})
    renamed = busy.model_copy(update={"git": Git(commit="abc", branch="other", dirty=False)})
    assert drift_of_environment(THEN, renamed) == []


def test_each_change_of_the_environment_is_told_by_its_field() -> None:
    now = THEN.model_copy(
        update={
            "driver_version": "560.2",
            "threads": 4,
            "gpus": (Gpu(uuid="GPU-1", power_limit_w=350.0),),
            "packages": {"torch": "2.7", "numpy": "2"},
            "git": Git(commit="def", branch="main", dirty=True),
        }
    )
    assert fields(drift_of_environment(THEN, now)) == {
        "environment.threads": (None, 4),
        "environment.driver_version": ("550.1", "560.2"),
        "environment.gpus[0].power_limit_w": (700.0, 350.0),
        "environment.packages.torch": ("2.6", "2.7"),
        "environment.packages.vllm": ("0.20", "not set"),
        "environment.packages.numpy": ("not set", "2"),
        "environment.git.commit": ("abc", "def"),
        "environment.git.dirty": (False, True),
    }


def test_a_gpu_more_is_a_drift() -> None:
    more = THEN.model_copy(update={"gpus": (*(THEN.gpus or ()), Gpu(uuid="GPU-2"))})
    assert list(fields(drift_of_environment(THEN, more))) == ["environment.gpus"]


def test_a_part_of_the_plan_is_no_drift() -> None:
    plan = manifest(planned("a", batch_size=1), planned("b", batch_size=2))
    assert drift_of_plan(plan, [planned("b", batch_size=2)]) == []


def test_another_configuration_under_the_same_name_is_told_field_by_field() -> None:
    then = planned("a", batch_size=1, vllm={"max_num_seqs": 8}, backend="vllm")
    now = planned(
        "a", batch_size=4, vllm={"max_num_seqs": 16}, backend="vllm", measurement={"windows": 9}
    )
    name = "bench/test_chat.py::test_chat[a]"
    assert fields(drift_of_plan(manifest(then), [now])) == {
        f"{name}: batch_size": (1, 4),
        f"{name}: vllm.max_num_seqs": (8, 16),
        f"{name}: measurement.windows": (5, 9),
    }


def test_how_it_is_measured_is_a_drift_though_the_experiment_is_the_same() -> None:
    then, now = planned(measurement={"windows": 3}), planned(measurement={"windows": 9})
    assert then.experiment_id == now.experiment_id
    (drift,) = drift_of_plan(manifest(then), [now])
    assert drift.field.endswith("test_chat[a]: measurement.windows")


def test_an_experiment_that_was_never_planned_is_a_drift() -> None:
    (drift,) = drift_of_plan(manifest(planned("a")), [planned("a"), planned("b", batch_size=2)])
    assert drift.field.endswith("test_chat[b]")
    assert drift.now == "not of this run"


def test_of_a_run_of_before_the_identity_alone_is_known() -> None:
    then = PlannedExperiment.model_validate(
        planned("a").model_dump(include={"experiment_id", "label", "config_hash"})
    )
    assert drift_of_plan(manifest(then), [planned("a", measurement={"windows": 9})]) == []
    assert drift_of_plan(manifest(then), [planned("b", batch_size=3)])


def test_a_run_that_shares_nothing_is_another_projects() -> None:
    then = manifest(planned("a", batch_size=1))
    assert of_another_project(then, [planned("z", batch_size=2)])
    assert not of_another_project(then, [planned("z", batch_size=2), planned("a", batch_size=9)])
    assert not of_another_project(then, [])


@pytest.mark.parametrize(("then", "expected"), [(None, 0), ({"meter": "nvml"}, 1)])
def test_what_was_not_recorded_has_not_drifted(then: dict[str, str] | None, expected: int) -> None:
    assert len(drift_of_mapping("settings", then, {"meter": "auto"})) == expected


def test_many_changes_are_cut_short() -> None:
    lines = described([Drift(field=str(number), before=None, now=1) for number in range(50)])
    assert lines[0] == "0: none → 1"
    assert len(lines) == SHOWN + 1
    assert lines[-1] == f"and {50 - SHOWN} more"
