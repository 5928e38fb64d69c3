"""``llem run --model … --dry-run``: what one experiment would be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pytest_llem import ExperimentConfig, preview_experiment
from pytest_llem.cli import app
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SEVENTY_BILLION = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "torch_dtype": "bfloat16",
}


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "large"
    folder.mkdir()
    folder.joinpath("config.json").write_text(json.dumps(SEVENTY_BILLION))
    monkeypatch.chdir(tmp_path)
    return "./large"


@pytest.mark.parametrize(("profile", "fit"), [("h100-sxm", "does not fit"), ("b200", "fits")])
def test_it_has_to_fit_into_the_devices_of_the_profile_that_is_named(
    large: str, profile: str, fit: str
) -> None:
    asked = ["run", "--dry-run", "--model", large, "--profile", profile]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    (point,) = (line for line in shown.output.splitlines() if line.startswith("  ./large-"))
    assert fit in point
    assert "baseline" not in shown.output


def test_a_profile_of_ones_own_is_named_by_its_path(large: str, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text('title = "mine"\ndevices = ["Tesla P4"]\nmemory_bytes = 8_000_000_000\n')
    shown = CliRunner().invoke(app, ["run", "--dry-run", "--model", large, "--profile", str(own)])
    assert shown.exit_code == 0, shown.output
    assert "does not fit" in shown.output


def test_it_needs_no_profile_that_knows_the_machine(
    large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_llem.devices.names.accelerator_names", lambda: ["P4"])
    shown = CliRunner().invoke(app, ["run", "--dry-run", "--model", large])
    assert shown.exit_code == 0, shown.output


def test_a_profile_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="no profile 'nope'"):
        preview_experiment(ExperimentConfig(model="builtin"), profile="nope")
