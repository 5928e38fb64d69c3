"""Engines that live in different environments, with a real model, in one session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instruments.environments import add_engine, lean_environment
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.study import StudyConfig
from pytest_llem.errors import ConfigError
from pytest_llem.runs.launchers import is_here
from pytest_llem.runs.library import default_settings, run_study

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

MEASUREMENT = {
    "windows": 2,
    "window_s": 0.1,
    "prefill_windows": 0,
    "warmup_min_s": 0,
    "warmup_max_s": 2,
    "idle_s": 0,
}
SOURCE = f"""
import json, pathlib, sys
import pytest
from pytest_llem.workloads.batch import build_requests

@pytest.mark.llem(input_tokens=16, output_tokens=24, measurement={MEASUREMENT})
def test_chat(energy, model):
    assert energy.measure(model).energy_j > 0
    requests = build_requests(energy.config, model.tokenizer)
    answers = [one.token_ids for one in model.generate(requests).requests]
    told = {{"answers": answers, "prefix": sys.prefix}}
    pathlib.Path(f"{{energy.config.backend}}.json").write_text(json.dumps(told))
"""


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter of an environment that has an engine which ours has not."""
    if not is_here("transformers"):
        pytest.skip("transformers is not installed")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = lean_environment(tmp_path / "venv", more=["torch", "transformers"])
    add_engine(python, "twin")
    return python


@pytest.mark.parametrize("isolation", ["spawn", "fork-server"])
def test_one_session_compares_engines_of_two_environments(
    run: Run, results: Results, pytester: pytest.Pytester, other: Path, isolation: str
) -> None:
    pytester.makepyprojecttoml(f'[tool.llem.engines.twin]\npython = "{other}"\n')
    outcome = run(SOURCE, "--llem-backend=transformers,twin", f"--llem-isolation={isolation}")
    outcome.assert_outcomes(passed=2)
    ours, theirs = (
        json.loads(Path(f"{name}.json").read_text()) for name in ("transformers", "twin")
    )
    assert ours["answers"] == theirs["answers"]
    assert theirs["prefix"] == str(other.parent.parent) != ours["prefix"]
    assert [(one["isolation"], one["isolation_reason"]) for one in results()] == [
        (isolation, None)
    ] * 2
    outcome.stdout.fnmatch_lines(["*transformers*", "*twin*"])


def test_a_study_chooses_the_environments_by_itself(
    tmp_path: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_TWIN_PYTHON", str(other))
    found = run_study(study("transformers", "twin"), settings=default_settings(tmp_path))
    assert [one.outcome for one in found.results] == ["passed"] * 2
    ours, theirs = found.results
    assert ours.elsewhere is None
    assert theirs.elsewhere is not None
    assert theirs.elsewhere.executable == str(other)


def test_a_study_of_which_an_engine_is_nowhere_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"twin is not installed .* LLEM_TWIN_PYTHON"):
        run_study(study("transformers", "twin"), settings=default_settings(tmp_path))
    assert not list(tmp_path.iterdir())


def study(*engines: str) -> StudyConfig:
    """One small experiment for each engine."""
    experiments = [
        ExperimentConfig.model_validate(
            {
                "backend": engine,
                "input_tokens": 16,
                "output_tokens": 8,
                "measurement": MEASUREMENT,
            }
        )
        for engine in engines
    ]
    return StudyConfig(name="engines", experiments=tuple(experiments))
