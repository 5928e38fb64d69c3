"""Checking files of configuration without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.rules import read_rules
from pytest_llem.config.documents.yaml import read_yaml
from pytest_llem.config.gates import baseline_table_in, gates_in
from pytest_llem.config.homes import read_homes
from pytest_llem.config.layers.fields import given_in
from pytest_llem.config.layers.layer import layered
from pytest_llem.config.layers.project import (
    FILE,
    OTHER_TABLES,
    PROFILE,
    read_table,
    user_directory,
)
from pytest_llem.config.layers.variables import given_by
from pytest_llem.config.profiles.finding import FOLDER, read_profile
from pytest_llem.config.study_file import is_study, read_study
from pytest_llem.errors import ConfigError
from pytest_llem.plan.bare import experiment_of
from pytest_llem.pyproject import FILE as PYPROJECT
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from pytest_llem.config.layers.layer import Given
    from pytest_llem.config.layers.standing import Standing


def problems_in(file: Path) -> list[str]:
    """What is wrong with *file*, one line a problem; empty if nothing is.

    A study is known by its name, ``pyproject.toml`` has a table ``[tool.llem]``, any other TOML is a profile, and YAML has
    fields of experiments.
    """
    try:
        if file.name == PYPROJECT:
            _check_pyproject(file)
        elif file.suffix == ".toml":
            read_profile(file)
        elif is_study(file):
            read_study(file)
        elif file.suffix in {".yaml", ".yml"}:
            _check(given_in(read_yaml(file), "project", {PROFILE}))
        else:
            return [f"{file}: neither YAML nor TOML by its name."]
    except FileNotFoundError:
        return [f"{file}: there is no such file."]
    except ConfigError as error:
        return str(error).splitlines()
    return []


def problems_of_variables(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the variables of the environment, one line a problem."""
    try:
        _check(given_by(environ))
    except ConfigError as error:
        return str(error).splitlines()
    return []


def problems_together(read: Callable[[], Standing]) -> list[str]:
    """What is wrong with all layers together, each of which may be good by itself."""
    try:
        experiment_of(read().layers)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def files_here(project: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """The files that are read in *project*, as far as they are there, weakest first."""
    user = user_directory(environ)
    places = [] if user is None else [*sorted((user / FOLDER).glob("*.toml")), user / FILE]
    yield from (file for file in (*places, project / PYPROJECT, project / FILE) if file.is_file())


def _check_pyproject(file: Path) -> None:
    if not file.is_file():
        raise FileNotFoundError
    _check(given_in(read_table(file.parent), "project", {PROFILE, *OTHER_TABLES}))
    read_homes(file.parent, {}, ())
    said = read_llem_table(file.parent)
    gates_in(said)
    baseline_table_in(said)
    read_rules(file.parent, {})


def _check(given: list[Given]) -> None:
    """That together they are an experiment, too."""
    experiment_of(layered(given))
