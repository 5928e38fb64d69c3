"""The versions that are promised are the versions that are tested."""

from __future__ import annotations

import configparser
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def project(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "pyproject.toml").read_text())


@pytest.fixture
def tox(checkout: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(checkout / "tox.ini")
    return parser


@pytest.fixture
def workflow(checkout: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((checkout / ".github/workflows/ci.yml").read_text())
    return loaded


@pytest.fixture
def pythons(project: dict[str, Any]) -> list[str]:
    """The Python versions that the classifiers promise."""
    prefix = "Programming Language :: Python :: "
    return [
        line.removeprefix(prefix)
        for line in project["project"]["classifiers"]
        if re.fullmatch(re.escape(prefix) + r"3\.\d+", line)
    ]


def factors(tox: configparser.ConfigParser, pattern: str) -> list[str]:
    """The alternatives of one factor of tox's list of environments."""
    found = re.search(pattern, tox["tox"]["env_list"])
    assert found is not None
    return found.group(1).split(",")


def test_the_oldest_python_is_the_one_that_is_required(
    project: dict[str, Any], pythons: list[str]
) -> None:
    assert project["project"]["requires-python"] == f">={pythons[0]}"


def test_the_tools_check_against_the_oldest_python(
    project: dict[str, Any], pythons: list[str]
) -> None:
    assert project["tool"]["mypy"]["python_version"] == pythons[0]
    assert project["tool"]["ruff"]["target-version"] == "py" + pythons[0].replace(".", "")


def test_tox_runs_every_promised_python(tox: configparser.ConfigParser, pythons: list[str]) -> None:
    assert factors(tox, r"py\{([0-9,]+)\}") == [version.replace(".", "") for version in pythons]


def test_ci_runs_every_promised_python(workflow: dict[str, Any], pythons: list[str]) -> None:
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == pythons


def test_ci_installs_every_extra_on_the_oldest_and_the_newest_python(
    workflow: dict[str, Any], project: dict[str, Any], pythons: list[str]
) -> None:
    matrix = workflow["jobs"]["extras"]["strategy"]["matrix"]
    elsewhere = {"dev", "docs", "vllm"}  # tox, make docs and make test-vllm install these
    assert {*matrix["extra"]} - {"none"} == {
        *project["project"]["optional-dependencies"]
    } - elsewhere
    assert matrix["python"] == [pythons[0], pythons[-1]]


def test_ci_runs_the_pytests_that_tox_knows(
    workflow: dict[str, Any], tox: configparser.ConfigParser
) -> None:
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    further = [cell["pytest"] for cell in matrix["include"]]
    known = re.findall(r"^pytest(\w+):", tox["testenv"]["deps"], flags=re.MULTILINE)
    assert matrix["pytest"] == factors(tox, r"pytest\{([a-z,]+)\}")
    assert matrix["pytest"] + further == known


def test_only_the_unreleased_pytest_may_fail(workflow: dict[str, Any]) -> None:
    allowed = workflow["jobs"]["tests"]["continue-on-error"]
    assert allowed == "${{ matrix.pytest == 'main' }}"


def test_the_oldest_pytest_is_tested(
    project: dict[str, Any], tox: configparser.ConfigParser
) -> None:
    required = [line for line in project["project"]["dependencies"] if line.startswith("pytest>")]
    minimum = project["tool"]["pytest"]["ini_options"]["minversion"]
    assert required == [f"pytest>={minimum}"]
    assert f"pytestmin: pytest=={minimum}.*" in tox["testenv"]["deps"]


def test_tox_and_make_test_the_same_torch(
    tox: configparser.ConfigParser, script: Callable[[str], Any]
) -> None:
    torch = script("scripts/environment.py").TESTED_TORCH
    assert torch in tox["testenv"]["deps"].split()


def test_the_policy_names_the_versions_that_are_promised(
    checkout: Path, project: dict[str, Any], pythons: list[str]
) -> None:
    said = (checkout / "docs/compatibility.md").read_text()
    assert f"{pythons[0]} to {pythons[-1]}" in said
    (pytest_,) = (one for one in project["project"]["dependencies"] if one.startswith("pytest>="))
    assert f"| pytest | {pytest_.removeprefix('pytest>=')} and later" in said
    named = re.findall(r"`([a-z-]+[<>=][^`]*)`", said)
    extras = project["project"]["optional-dependencies"].values()
    asked = {*project["project"]["dependencies"], *(one for extra in extras for one in extra)}
    assert named
    assert set(named) <= asked
