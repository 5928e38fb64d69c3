"""Where engines run, as a project's file and the environment say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.config.homes import Home, read_homes, variable
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_every_engine_is_at_home_here(tmp_path: Path) -> None:
    homes = read_homes(tmp_path, {}, ["vllm"])
    assert homes.of("vllm") == homes.of("anything") == Home()
    assert homes.container.shm_size == "8g"
    assert not homes.container.network


def test_an_interpreter_is_found_from_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.llem.engines.vllm]\npython = "../v/bin/python"')
    assert read_homes(tmp_path, {}, []).of("vllm").python == str(tmp_path.parent / "v/bin/python")


def test_variables_win_and_name_engines_that_nothing_else_names(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.llem.engines.vllm]\npython = "a"\nimage = "b"')
    environ = {"LLEM_VLLM_PYTHON": "/c", "LLEM_MY_ENGINE_IMAGE": "d", "LLEM_DIR": "e"}
    homes = read_homes(tmp_path, environ, [])
    assert homes.of("vllm") == Home(python="/c", image="b")
    assert homes.of("my_engine") == homes.of("my-engine") == Home(image="d")
    assert homes.engines.keys() == {"vllm", "my_engine"}


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert read_homes(tmp_path, {"LLEM_VLLM_PYTHON": ""}, []).of("vllm") == Home()


def test_an_engine_may_be_spelt_as_its_distribution(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.llem.engines.tensorrt-llm]\nimage = "x"')
    homes = read_homes(tmp_path, {}, ["tensorrt-llm"])
    assert homes.of("tensorrt_llm") == homes.of("tensorrt-llm") == Home(image="x")
    assert variable("tensorrt-llm", "python") == "LLEM_TENSORRT_LLM_PYTHON"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.llem", "is no TOML"),
        ("tool = 3", "must be a table"),
        ("[tool]\nllem = 3", "there is no such field"),
        ("[tool.llem]\nengines = 3", "engines must be a table"),
        ("[tool.llem.engines.vllm]\nimage = ''", "image"),
        ("[tool.llem.engines.vllm]\nimag = 'x'", "Did you mean"),
        ("[tool.llem.container]\nruntime = 'containerd'", "runtime"),
        ("[tool.llem.container]\nshm_size = '8 gigabytes'", "shm_size"),
    ],
)
def test_what_cannot_be_understood_names_file_and_place(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml") as caught:
        read_homes(tmp_path, {}, [])
    assert said in str(caught.value)
