"""``scripts/environment.py`` and what it stands on: what is installed where, and when it is done again."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def environment(script: Callable[[str], Any]) -> Any:
    return script("scripts/environment.py")


@pytest.fixture
def virtual(script: Callable[[str], Any]) -> Any:
    return script("scripts/virtual_environment.py")


@pytest.fixture
def drivers(script: Callable[[str], Any]) -> Any:
    return script("scripts/nvidia_driver.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    return tmp_path


@pytest.fixture
def commands(environment: Any, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        ran.append([str(part) for part in command])

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(environment, "has_nvidia_driver", lambda: False)
    return ran


def installs(commands: list[list[str]]) -> int:
    return sum("install" in command for command in commands)


def creates(commands: list[list[str]]) -> int:
    return sum("venv" in command for command in commands)


def test_without_a_driver_the_tested_torch_is_pinned(environment: Any) -> None:
    assert "torch==2.13.0" in environment.requirements(driver=False)


def test_with_a_driver_the_extra_chooses_torch(environment: Any) -> None:
    asked = environment.requirements(driver=True)
    assert not any(requirement.startswith("torch") for requirement in asked)
    assert any("transformers" in requirement for requirement in asked)


def test_a_loaded_kernel_module_is_a_driver(drivers: Any, tmp_path: Path) -> None:
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    assert drivers.has_nvidia_driver(tmp_path)


def test_nvidia_smi_is_a_driver(
    drivers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "loads", lambda _: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not drivers.has_nvidia_driver(tmp_path)
    (tmp_path / "nvidia-smi").touch(mode=0o755)
    assert drivers.has_nvidia_driver(tmp_path)


def test_the_management_library_is_a_driver(
    drivers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(drivers, "loads", lambda library: library == "libnvidia-ml.so.1")
    assert drivers.has_nvidia_driver(tmp_path)


def test_a_library_that_is_missing_does_not_load(drivers: Any) -> None:
    assert not drivers.loads("libno-such-library.so.1")


def test_a_second_call_installs_nothing(
    environment: Any, project: Path, commands: list[list[str]]
) -> None:
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (1, 1)
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (1, 1)


def test_a_changed_project_is_installed_into_the_same_environment(
    environment: Any, project: Path, commands: list[list[str]]
) -> None:
    environment.refresh(project)
    (project / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (1, 2)


def test_another_interpreter_makes_the_environment_anew(
    environment: Any,
    project: Path,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.refresh(project)
    monkeypatch.setattr(sys, "base_prefix", "/another/python")
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (2, 2)


def test_a_driver_that_appears_makes_the_environment_anew(
    environment: Any,
    project: Path,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.refresh(project)
    monkeypatch.setattr(environment, "has_nvidia_driver", lambda: True)
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (2, 2)


def interrupt_installation(
    environment: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(environment, "pip", lambda *_, **__: sys.exit("interrupted"))
        with pytest.raises(SystemExit):
            environment.refresh(project)


def test_an_interrupted_installation_starts_over(
    environment: Any,
    project: Path,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interrupt_installation(environment, project, monkeypatch)
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (2, 1)


def test_an_interrupted_update_starts_over(
    environment: Any,
    project: Path,
    commands: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.refresh(project)
    (project / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    interrupt_installation(environment, project, monkeypatch)
    environment.refresh(project)
    assert (creates(commands), installs(commands)) == (2, 2)


def test_a_second_make_waits_for_the_first(virtual: Any, project: Path) -> None:
    handle = os.open(project, os.O_RDONLY)
    with virtual.locked(project), pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


@pytest.mark.usefixtures("commands")
def test_an_environment_of_somebody_else_is_left_alone(environment: Any, project: Path) -> None:
    (project / ".venv").mkdir()
    (project / ".venv/precious").touch()
    with pytest.raises(SystemExit, match="was not made by this project"):
        environment.refresh(project)
    assert (project / ".venv/precious").exists()


def test_a_damaged_stamp_counts_as_unfinished(virtual: Any, tmp_path: Path) -> None:
    (tmp_path / virtual.STAMP).write_text('{"python": ')
    assert virtual.read_stamp(tmp_path) == {}


def test_the_stamp_says_what_was_installed(
    environment: Any, virtual: Any, project: Path, commands: list[list[str]]
) -> None:
    environment.refresh(project)
    stamp = json.loads((project / ".venv" / virtual.STAMP).read_text())
    assert stamp["place"] == str(project)
    assert "torch==2.13.0" in stamp["requirements"]
