"""Values and paths that nobody means, and programs write all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_llem.config.documents.yaml import parse_yaml, read_yaml
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.homes import read_homes
from pytest_llem.config.layers.fields import given_in
from pytest_llem.config.leaves import leaf
from pytest_llem.config.pinning import digest_of_file, pinned
from pytest_llem.config.problems import Problem
from pytest_llem.config.study_file import read_study
from pytest_llem.errors import ConfigError
from pytest_llem.paths import expanded, is_file, is_folder, is_there
from pytest_llem.pyproject import read_llem_table

LONG = "a" * 300
HUGE = "0x" + "f" * 5000


def test_an_integer_that_python_does_not_write_is_told_by_its_size() -> None:
    with pytest.raises(ConfigError, match=r"llem.yaml:1:1: seed=an integer of 20,000 bits: must"):
        given_in(parse_yaml(f"seed: {HUGE}", "llem.yaml"), "project")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), int(HUGE, 16)], ids=["nan", "inf", "huge"]
)
@pytest.mark.parametrize("path", ["transformers.extra", "workload.extra"])
def test_numbers_that_json_cannot_say_are_no_options(path: str, value: Any) -> None:
    found = leaf(path, {"a": [value]})
    assert isinstance(found, Problem)
    assert "JSON" in str(found)


def test_an_experiment_refuses_them_too() -> None:
    with pytest.raises(ValueError, match="nan is nothing that JSON can say"):
        ExperimentConfig.model_validate({"transformers": {"extra": {"a": float("nan")}}})


@pytest.mark.parametrize("content", ["x = " + "[" * 5000, "x = " + "9" * 5000])
def test_toml_without_end_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        read_llem_table(tmp_path)


@pytest.mark.parametrize("path", ["a\0b", LONG, "~nobody-is-called-so/x", "~a\0b"])
def test_a_path_that_cannot_be_is_not_there(tmp_path: Path, path: str) -> None:
    place = tmp_path / expanded(path)
    assert not any(look(place) for look in (is_there, is_file, is_folder))
    assert digest_of_file(str(place)) is None
    assert pinned({"path": path}, tmp_path)["sha256"] is None


def test_a_path_is_taken_as_it_is_where_its_user_is_none(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.llem.engines.vllm]\npython = '~nobody-x/p'\n")
    assert read_homes(tmp_path, {}, ()).of("vllm").python == str(tmp_path / "~nobody-x/p")


def test_a_device_is_no_file_of_configuration_and_no_workload() -> None:
    """Such as ``/dev/zero``, which has no end."""
    with pytest.raises(ConfigError, match="is a device or a pipe, and no file"):
        read_yaml(Path("/dev/zero"))
    assert digest_of_file("/dev/zero") is None


@pytest.mark.parametrize("seed", ["-1", str(2**64), HUGE, "true", "'7'"])
def test_a_seed_that_is_none_is_no_order(tmp_path: Path, seed: str) -> None:
    study = tmp_path / "x.llem.yaml"
    study.write_text(f"base: {{seed: 1}}\norder: {{shuffle: {seed}}}\n")
    with pytest.raises(ConfigError, match="with a seed below"):
        read_study(study)
