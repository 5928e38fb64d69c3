"""Files and variables below what tests say: they reach every experiment, and every child."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import ConfigError
from pytest_llem.isolation.worker_input import worker_input
from pytest_llem.plan.bare import bare_experiment
from pytest_llem.plan.overrides import overrides_of
from pytest_llem.plan.standing import WORKER_INPUT
from pytest_llem.runs.standing import completed, short_windows, standing_here

if TYPE_CHECKING:
    from conftest import Inner

PLAIN = "def test_it(energy, model): ...\n"
MARKED = f"import pytest\n@pytest.mark.llem(seed=5)\n{PLAIN}"
GRID = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 2])
def test_it(energy, model, batch_size, seed): ...
"""


def test_what_a_file_says_holds_unless_a_test_says_otherwise(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner.pytester.path.joinpath("llem.yaml").write_text("seed: 2\nbatch_size: 4\ndtype: float32")
    monkeypatch.setenv("LLEM_BATCH_SIZE", "8")
    point = inner.collect(MARKED)["test_it"]
    assert point.config is not None
    assert (point.config.seed, point.config.batch_size, point.config.dtype) == (5, 8, "float32")
    layers = {path: origin.layer for path, origin in point.origins.items()}
    assert layers == {"seed": "marker", "batch_size": "environment", "dtype": "project"}
    assert str(point.origins["seed"]) == "marker (test_it.py:2)"


def test_parameters_win_over_files_and_options_over_parameters(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_BATCH_SIZE", "8")
    points = inner.collect(GRID)
    assert [points[name].origins["batch_size"].layer for name in points.names] == ["parameter"] * 2
    (name,) = (points := inner.collect(GRID, "--llem-set", "batch_size=3")).names
    config = points[name].config
    assert config is not None
    assert (config.batch_size, points[name].origins["batch_size"].layer) == (3, "option")


def test_identities_are_the_same_wherever_a_value_comes_from(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = inner.collect(MARKED)["test_it"].identity
    monkeypatch.setenv("LLEM_SEED", "5")
    assert inner.collect(PLAIN)["test_it"].identity == marked
    monkeypatch.setenv("LLEM_MEASUREMENT__WINDOWS", "9")  # no part of what is measured
    assert inner.collect(PLAIN)["test_it"].identity == marked


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("llem.yaml", "batch_size: 0", r"llem\.yaml:1:1: batch_size=0: must be"),
        ("llem.yaml", "backend: vlm", r"llem\.yaml:1:1\): backend='vlm': there is no such engine"),
        ("pyproject.toml", "[tool.llem]\nseeed = 1", r"pyproject\.toml:2:1: seeed=1"),
    ],
)
def test_a_file_that_cannot_be_meant_is_a_usage_error(
    inner: Inner, file: str, text: str, said: str
) -> None:
    inner.pytester.path.joinpath(file).write_text(text)
    result = inner.run(PLAIN, "--collect-only")
    result.stderr.re_match_lines([f"ERROR: .*{said}"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_session_without_experiments_reads_nothing(inner: Inner) -> None:
    inner.pytester.path.joinpath("llem.yaml").write_text("batch_size: 0")
    assert inner.run("def test_plain(): ...").ret == 0


def test_a_dry_run_says_what_holds_from_elsewhere(
    inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_SEED", "3")
    result = inner.run(PLAIN, "--llem-dry-run")
    result.stdout.fnmatch_lines(["*seed by environment (LLEM_SEED)"])


def test_a_child_is_told_what_holds(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLEM_SEED", "3")
    told = []

    class Listener:
        def pytest_collection_finish(self, session: pytest.Session) -> None:
            told.append(worker_input(session.config)[WORKER_INPUT])

    inner.pytester.makepyfile(test_it=PLAIN)
    inner.pytester.inline_run("-q", "--collect-only", plugins=[Listener()])
    assert told[0]["seed"] == [3, "environment"]


def test_a_bare_experiment_stands_on_the_same_layers(
    tmp_path: object, inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner.pytester.path.joinpath("llem.yaml").write_text("batch_size: 4\nseed: 1")
    standing = standing_here(inner.pytester.path, "cpu").layers
    config = bare_experiment(overrides_of([], "builtin/tiny", ["seed=2"]), standing)
    assert (config.batch_size, config.seed) == (4, 2)


def test_a_combination_that_cannot_be_names_who_gave_its_parts(inner: Inner) -> None:
    inner.pytester.path.joinpath("llem.yaml").write_text("\ntraffic:\n  concurrency: 2")
    standing = standing_here(inner.pytester.path, "cpu").layers
    with pytest.raises(ConfigError, match=r"not wait.*concurrency by project .*llem\.yaml:3:3"):
        bare_experiment(overrides_of([], None, ["traffic.rate_per_s=1"]), standing)


def test_a_point_that_cannot_be_run_names_the_file_that_makes_it_so(inner: Inner) -> None:
    inner.pytester.path.joinpath("llem.yaml").write_text("device: cpu")
    grid = GRID.replace("batch_size", "backend").replace("[1, 2]", "['vllm', 'tensorrt_llm']")
    found = inner.collect(grid, "--llem-dry-run")["test_it[tensorrt_llm]"]
    assert found.invalid is not None
    assert found.invalid.endswith("llem.yaml:1:1))")


def test_a_gate_without_a_tolerance_has_that_of_the_profile() -> None:
    profile = standing_here(profile="h100-sxm").profile
    assert completed(["energy_j", "ttft_s@bench/*", "energy_j:1%"], profile) == (
        "energy_j:5%",
        "ttft_s:5%@bench/*",
        "energy_j:1%",
    )


def test_windows_too_short_for_the_devices_counter_are_remarked_upon(inner: Inner) -> None:
    profile = standing_here(profile="h100-sxm").profile
    short = 'import pytest\npytestmark = pytest.mark.llem(measurement={"window_s": 0.2})\n'
    (said,) = short_windows([inner.collect(short + PLAIN)["test_it"]], profile)
    assert said.startswith("windows of 0.2 s have less than ten refreshes")
    assert not short_windows([inner.collect(PLAIN)["test_it"]], profile)
