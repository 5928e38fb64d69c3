"""What installed engines say that they can be told, and the command that shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.coverage.listing import listings
from pytest_llem.engines.signatures.covering import coverage_now
from pytest_llem.engines.signatures.installed import ask, interpreter_of
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

FAKE_VLLM = """
from dataclasses import dataclass
__version__ = "9.9"
@dataclass
class SamplingParams:
    temperature: float = 1.0
    _hidden: int = 0
"""
FAKE_ARGUMENTS = """
from dataclasses import dataclass
print("noise that a library writes")
@dataclass
class EngineArgs:
    model: str = ""
    block_size: int = 16
    brand_new: int = 0
"""
FAKE_TENSORRT = """
class TorchLlmArgs:
    model_fields = {"model": 1, "attn_backend": 1}
class TrtLlmArgs:
    model_fields = {"model": 1, "fast_build": 1}
"""


def llem(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.run(
        [sys.executable, "-m", "pytest_llem", "config", "coverage", *arguments],
        env={"PYTHONPATH": source, "PATH": "/usr/bin:/bin", "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def interpreter(tmp_path: Path) -> Callable[[dict[str, str]], str]:
    """Makes an interpreter that finds the given modules."""

    def make(files: dict[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        script = tmp_path / "python"
        script.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
        script.chmod(0o755)
        return str(script)

    return make


@pytest.fixture
def vllm(interpreter: Callable[[dict[str, str]], str]) -> str:
    return interpreter(
        {
            "vllm/__init__.py": FAKE_VLLM,
            "vllm/engine/__init__.py": "",
            "vllm/engine/arg_utils.py": FAKE_ARGUMENTS,
        }
    )


def test_the_installed_transformers_has_the_listed_parameters(torch: Any) -> None:
    del torch
    import transformers

    listing = listings()["transformers"]
    if transformers.__version__ != listing.version:
        pytest.skip(f"the list is of {listing.version}")
    coverage = coverage_now("transformers", sys.executable)
    assert coverage.installed
    assert not coverage.new
    assert not coverage.gone
    assert coverage.share >= coverage.target


def test_an_engine_is_asked_in_the_interpreter_that_has_it(vllm: str) -> None:
    installed = ask("vllm", vllm)
    assert installed.version == "9.9"
    assert installed.parameters == {
        "EngineArgs.model",
        "EngineArgs.block_size",
        "EngineArgs.brand_new",
        "SamplingParams.temperature",
    }


def test_both_backends_of_tensorrt_llm_are_asked(
    interpreter: Callable[[dict[str, str]], str],
) -> None:
    python = interpreter(
        {
            "tensorrt_llm/__init__.py": "__version__ = '1.3'",
            "tensorrt_llm/llmapi/__init__.py": "",
            "tensorrt_llm/llmapi/llm_args.py": FAKE_TENSORRT,
        }
    )
    assert ask("tensorrt_llm", python).parameters == {
        "LLM.model",
        "LLM.attn_backend",
        "LLM.fast_build",
    }


def test_the_interpreter_is_the_configured_one_or_this_one_if_the_engine_is_here(
    tmp_path: Path,
) -> None:
    assert interpreter_of("vllm", tmp_path, {"LLEM_VLLM_PYTHON": "/x/python"}) == "/x/python"
    assert interpreter_of("no_such_engine", tmp_path, {}) is None
    assert interpreter_of("json", tmp_path, {}) == sys.executable
    (tmp_path / "pyproject.toml").write_text(
        '[tool.llem.engines.vllm]\npython = "env/python"\n[tool.llem.engines.json]\nimage = "i"\n'
    )
    assert interpreter_of("vllm", tmp_path, {}) == str(tmp_path / "env/python")
    assert interpreter_of("json", tmp_path, {}) is None


def test_an_interpreter_without_the_engine_is_an_error_that_says_so() -> None:
    with pytest.raises(EngineError, match=r"No module named 'tensorrt_llm'"):
        ask("tensorrt_llm", sys.executable)


def test_an_interpreter_that_is_not_there_is_an_error_that_says_so() -> None:
    with pytest.raises(EngineError, match="/no/python"):
        ask("vllm", "/no/python")


def test_the_command_tells_share_target_and_what_is_missing_new_and_gone(vllm: str) -> None:
    done = llem("--engine", "vllm", LLEM_VLLM_PYTHON=vllm)
    assert done.returncode == 0, done.stderr
    first, second, third, *rest = done.stdout.splitlines()
    assert first == "vllm 9.9, asked of the installed engine"
    assert second.startswith(
        "  3 of 4 parameters that affect inference: 75.0% (target 90%: missed)"
    )
    assert third.startswith("  3 of all 4: 75.0%; 0 left out for a reason: 0.0%")
    assert rest[0] == "  missing: EngineArgs.brand_new"
    assert rest[1] == f"  new since {listings()['vllm'].version}: EngineArgs.brand_new"
    assert rest[2].startswith("  gone since")


def test_the_command_takes_the_list_where_no_engine_is_installed() -> None:
    done = llem("--engine", "tensorrt-llm", "--json")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert told["engine"] == "tensorrt_llm"
    assert told["installed"] is False
    assert told["share"] == told["covered"] / told["affecting"]
    assert told["raw_total"] == told["affecting"] + told["excluded"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "vlm"], "Did you mean 'vllm'?"),
        (["--python", "/x"], "--python needs --engine"),
        (["--engine", "vllm", "--python", "/no/python"], "/no/python"),
        (["--engine", "vllm", "--python", "/bin/true"], "/bin/true is no Python"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(arguments: list[str], said: str) -> None:
    done = llem(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
