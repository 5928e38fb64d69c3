"""What experiments are told here, by whom, and whether it can be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.effective import effective
from pytest_llem.config.experiment import ENGINE_SECTIONS
from pytest_llem.config.homes import read_homes
from pytest_llem.config.layers.layer import layered
from pytest_llem.config.layers.project import user_directory
from pytest_llem.config.problems import unknown_value
from pytest_llem.config.profiles.finding import names, profile_called
from pytest_llem.config.sections import MODELS, engine_called
from pytest_llem.config.template import template
from pytest_llem.engines import ENGINES
from pytest_llem.errors import ConfigError
from pytest_llem.plan import checking
from pytest_llem.plan.backends import Backends
from pytest_llem.plan.bare import bare_experiment
from pytest_llem.plan.overrides import overrides_of
from pytest_llem.runs.standing import standing_here

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.config.effective import Effective
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.layers.standing import Standing
    from pytest_llem.config.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """The value of every field, before a test or a study says otherwise."""

    fields: tuple[Effective, ...]
    """Each with who gave it."""
    standing: Standing
    """The layers that hold here, and the profile."""


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """What checking files found."""

    good: tuple[Path, ...]
    problems: tuple[str, ...]
    """One line each, with file, line and column."""


def effective_config(
    overrides: Sequence[str] = (), *, profile: str | None = None, everything: bool = False
) -> EffectiveConfig:
    """The value that every field has in the current directory, and where it comes from.

    Args:
        overrides: ``FIELD=VALUE``, stronger than anything else.
        profile: name or path of a system profile; ``None`` is as configured or detected.
        everything: list the sections of all engines, with all options.

    Raises:
        ConfigError: a file, a variable, the profile or an override cannot be as it says.
    """
    standing = standing_here(profile=profile)
    layers = layered([*standing.layers, *overrides_of([], None, overrides).given()])
    return EffectiveConfig(tuple(effective(layers, everything=everything)), standing)


def experiment_config(
    model: str | None = None,
    backend: str | None = None,
    overrides: Sequence[str] = (),
    profile: str | None = None,
    standing: Standing | None = None,
) -> ExperimentConfig:
    """One experiment: what is configured here, with something else in place of some of it.

    Args:
        model: built-in model, local folder or hub id.
        backend: engine.
        overrides: ``FIELD=VALUE``.
        profile: as :func:`effective_config` takes it.
        standing: what :func:`~pytest_llem.read_standing` read, with the profile; ``None`` reads it.

    Raises:
        ConfigError: it cannot be carried out as asked.
    """
    asked = [] if backend is None else [backend]
    standing = standing or standing_here(profile=profile)
    config = bare_experiment(overrides_of(asked, model, overrides), standing.layers)
    if (problem := Backends(known_engines).problem(config.backend)) is not None:
        raise ConfigError(str(problem))
    return config


def known_engines(project: Path | None = None) -> frozenset[str]:
    """Names of engines that can be meant in *project*, wherever they are installed.

    Raises:
        ConfigError: the project's configuration says what cannot be.
    """
    elsewhere = read_homes(project or Path.cwd(), os.environ, ()).engines
    return frozenset({*ENGINE_SECTIONS, *ENGINES.names(), *elsewhere})


def check_config(files: Sequence[Path] = ()) -> CheckedConfig:
    """Validate YAML, profiles, studies, ``pyproject.toml``; by default all that counts here.

    Variables of the environment, and all layers together, are validated where no file is named.
    Nothing is run, and what is wrong is told rather than raised.
    """
    good, problems = [], list[str]()
    for file in files or checking.files_here(Path.cwd(), os.environ):
        found = checking.problems_in(file)
        problems += found
        if not found:
            good.append(file)
    if not files:
        problems += checking.problems_of_variables(os.environ)
        problems += [] if problems else checking.problems_together(standing_here)
    return CheckedConfig(tuple(good), tuple(problems))


def config_template(engines: Iterable[str] = (), *, active: bool = False) -> str:
    """An ``llem.yaml`` with every field, its meaning and its default.

    Args:
        engines: whose options are listed, too.
        active: write defaults as values, not as comments.

    Raises:
        ConfigError: there is no such engine.
    """
    names_ = [engine_called(name) for name in engines]
    for name in names_:
        if name not in MODELS:
            raise ConfigError(str(unknown_value("engine", name, MODELS, "engine")))
    return template(names_, active=active)


def list_profiles() -> list[Profile]:
    """All system profiles, built-in ones and the user's, by name.

    Raises:
        ConfigError: a user's profile says what cannot be.
    """
    user, by = user_directory(os.environ), standing_here().profile_origin
    return [profile_called(name, by, Path.cwd(), user) for name in names(user)]
