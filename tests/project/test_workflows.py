"""The workflows are whole: they parse, pin what they use, and call what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((CHECKOUT / ".github/workflows").glob("*.yml"))
INSTALLATION = ["Makefile", "tox.ini", "pyproject.toml", ".ci/run", "scripts", ".github"]


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_major_version(workflow: Path) -> None:
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    used = [action for action in used if action != "./"]  # this repository's own
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@(release/)?v\d+", action), action


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_no_command_contains_what_a_stranger_typed(workflow: Path) -> None:
    for step in steps(workflow):
        assert "${{" not in step.get("run", ""), "hand it over through env, where it is no code"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_make_targets_exist(workflow: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    for step in steps(workflow):
        for target in re.findall(r"^make (\w+)", step.get("run", ""), flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_gpu_runner_accepts_nothing_but_measured_energy() -> None:
    (bench,) = [step for step in steps(WORKFLOWS[1]) if step.get("name") == "pytest bench/"]
    assert "--llem-require=measured" in bench["run"]
    assert "--llem-gate" in bench["run"]


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is the user's configuration of pip."""
    for name in INSTALLATION:
        path = CHECKOUT / name
        files = [entry for entry in path.rglob("*") if entry.is_file()] if path.is_dir() else [path]
        for file in files:
            if file.suffix != ".pyc":
                assert not re.search(r"index-url|find-links|pypi\.org|/whl/", file.read_text()), (
                    file
                )
