"""``llem config``: what it prints, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from pytest_llem.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Llem = Callable[..., Result]


@pytest.fixture
def llem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Llem:
    """Runs ``llem config`` in an empty directory, by a user without files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "CI"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["config", *arguments])


def test_show_has_every_value_and_who_gave_it(
    llem: Llem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llem.yaml").write_text("batch_size: 4\nbackend: vllm\n")
    monkeypatch.setenv("LLEM_VLLM__MAX_NUM_SEQS", "64")
    said = llem("show", "--origin", "--profile=h100-sxm", "--set", "seed=3").stdout.splitlines()
    origins = {line.partition(" = ")[0]: line.rpartition("  ")[2] for line in said}
    assert origins["batch_size"] == f"project ({tmp_path / 'llem.yaml'}:1:1)"
    assert origins["vllm.max_num_seqs"] == "environment (LLEM_VLLM__MAX_NUM_SEQS)"
    assert origins["seed"] == "option (command line)"
    assert origins["measurement.window_s"].startswith("profile (")
    assert origins["vllm.max_model_len"] == origins["model"] == "default"
    assert said[0] == "profile h100-sxm: option (--llem-profile)"
    assert "batch_size = 4" in llem("show").stdout.splitlines()


def test_show_as_json_has_the_places_apart(llem: Llem, tmp_path: Path) -> None:
    (tmp_path / "llem.yaml").write_text("measurement:\n  windows: 7\n")
    shown = {one["field"]: one for one in json.loads(llem("show", "--json").stdout)}
    assert shown["measurement.windows"] == {
        "field": "measurement.windows",
        "value": 7,
        "layer": "project",
        "file": str(tmp_path / "llem.yaml"),
        "line": 2,
        "column": 3,
        "by": None,
    }


def test_check_names_each_wrong_place_of_each_file(llem: Llem, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("batch_size: 1")
    (tmp_path / "bad.yaml").write_text("batch_size: 0\nvllm:\n  max_num_seq: 1\n")
    (tmp_path / "mine.toml").write_text("powr_limit_w = 3")
    found = llem("check", "good.yaml", "bad.yaml", "mine.toml", "none.yaml", "x.txt")
    assert found.exit_code == 1
    assert found.stdout == "good.yaml: good\n"
    starts = [line.split(": ")[1] for line in found.stderr.splitlines()]
    assert starts == ["bad.yaml:1:1", "bad.yaml:3:3", "mine.toml:1:1", "none.yaml", "x.txt"]
    assert "Did you mean 'vllm.max_num_seqs'?" in found.stderr


def test_check_without_files_looks_at_all_that_counts_here(
    llem: Llem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert llem("check").exit_code == 0
    user = tmp_path / "home" / ".config" / "llem"
    user.mkdir(parents=True)
    (user / "llem.yaml").write_text("seed: x")
    (tmp_path / "pyproject.toml").write_text("[tool.llem.gates]\nttft_s = 3\n")
    monkeypatch.setenv("LLEM_SEEED", "3")
    said = llem("check").stderr
    for part in ("llem.yaml:1:1: seed='x'", "ttft_s = 3 is no tolerance", "LLEM_SEEED"):
        assert part in said


def test_check_sees_what_cannot_be_together(llem: Llem, tmp_path: Path) -> None:
    (tmp_path / "llem.yaml").write_text("device: cpu\nbackend: tensorrt_llm\n")
    found = llem("check")
    assert found.exit_code == 1
    assert "device='cpu': tensorrt_llm runs on NVIDIA GPUs only" in found.stderr
    assert "llem.yaml:1:1" in found.stderr


def test_check_sees_what_cannot_be_together_across_layers(
    llem: Llem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llem.yaml").write_text("device: cpu\n")
    monkeypatch.setenv("LLEM_BACKEND", "tensorrt_llm")
    found = llem("check")
    assert found.exit_code == 1
    assert "device by project" in found.stderr


def test_a_template_that_was_written_to_a_file_is_good(llem: Llem, tmp_path: Path) -> None:
    (tmp_path / "llem.yaml").write_text(
        llem("template", "--active", "--engine=tensorrt-llm").stdout
    )
    assert "llem.yaml: good" in llem("check").stdout


def test_the_schema_is_json(llem: Llem) -> None:
    assert "batch_size" in json.loads(llem("schema").stdout)["properties"]


def test_profiles_are_listed_with_the_one_that_counts(llem: Llem) -> None:
    said = llem("profiles").stdout.splitlines()
    assert said[0].startswith("here: ")
    assert any(line.startswith("h100-sxm ") and "80GB HBM3" in line for line in said)
