"""A project such as the documents speak of, with a run, a baseline and a history."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pytest_llem
from documentation.blocks import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable

STUCK_S = 120.0
"""A command of a document that takes longer does not end."""
TINY = {
    "windows": 1,
    "window_s": 0.05,
    "prefill_windows": 0,
    "repeat_windows": 0,
    "idle_s": 0,
    "warmup_min_s": 0,
    "warmup_max_s": 0.05,
}
"""Measurements that show that a command works, and nothing else."""
WHO = "-c user.name=tester -c user.email=tester@example.invalid"
COMMIT = f"git add -A && git {WHO} commit -qm files"
FILES = {
    "pyproject.toml": '[project]\nname = "mine"\nversion = "1"\n',
    ".gitignore": ".llem/\n.venv/\nsite/\n__pycache__/\n",
    "bench/test_chat.py": """\
import pytest


@pytest.mark.parametrize("batch_size", [1])
def test_chat(energy, batch_size):
    energy.measure(lambda: sum(range(20_000)), work={"output_tokens": 64})
""",
}


@dataclass(frozen=True)
class Project:
    """A directory, and how commands are run there as a user would."""

    path: Path
    environment: dict[str, str]

    def run(self, script: str, *addopts: str) -> subprocess.CompletedProcess[str]:
        """Have bash run *script*, with *addopts* for every pytest in it; ERR says what failed."""
        options = " ".join([self.environment["PYTEST_ADDOPTS"], *addopts])
        trap = """trap 'echo "FAILED $? $BASH_COMMAND" >&2' ERR\n"""
        return subprocess.run(
            ["bash", "-uc", trap + script],
            cwd=self.path,
            env={**self.environment, "PYTEST_ADDOPTS": options},
            capture_output=True,
            text=True,
            timeout=STUCK_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """``python``, ``pytest`` and ``llem`` are those under test, in a home without files."""
    home = tmp_path_factory.mktemp("home")
    for name, module in (("python", ""), ("pytest", "-m pytest"), ("llem", "-m pytest_llem")):
        script = home / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        script.chmod(0o755)
    (source,) = pytest_llem.__path__
    sets = " ".join(f"--llem-set measurement.{name}={value}" for name, value in TINY.items())
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "COLUMNS"}}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(["site", str(Path(source).parent)]),
        "LLEM_MEASUREMENT": json.dumps(TINY),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # importing other plugins would be most of the time
        "PYTEST_ADDOPTS": f"-p llem {sets}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """The project, made once: committed, measured, with a baseline and a run that ended."""
    project = Project(tmp_path_factory.mktemp("template"), environment)
    for name, text in FILES.items():
        file = project.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    install_components(project.path / "site")
    done = project.run(
        "pytest -q bench/test_chat.py --llem-update-baselines && "
        f"git init -q -b main && {COMMIT} && git tag v1.0"
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    return project.path


def install_components(site: Path) -> None:
    """Put those of the guide for authors there, as pip would."""
    about = site / "mine-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    lines: list[str] = []
    for block in blocks_of("docs/components.md"):
        if block.language == "toml":
            points = tomllib.loads(block.text).get("project", {}).get("entry-points", {})
            for group, members in points.items():
                lines += [f"[{group}]", *(f"{name} = {place}" for name, place in members.items())]
        elif block.file and block.file.startswith("my_"):
            (site / block.file).write_text(block.text)
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def project(template: Path, environment: dict[str, str], tmp_path: Path) -> Project:
    """A copy of the project."""
    path = tmp_path / "project"
    shutil.copytree(template, path, symlinks=True)
    return Project(path, environment)


@pytest.fixture
def written(project: Project) -> Callable[[dict[str, str]], Project]:
    """Writes files into the project."""

    def write(files: dict[str, str]) -> Project:
        for name, text in files.items():
            file = project.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if files:
            done = project.run(COMMIT)
            assert done.returncode == 0, done.stderr
        return project

    return write
