"""The layers that hold for every experiment of a session, below what studies and tests say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.config.layers.fields import given_in
from pytest_llem.config.layers.layer import BUILT_IN, Given, Layers, Origin, layered
from pytest_llem.config.layers.project import (
    COST,
    OTHER_TABLES,
    PROFILE,
    read_project,
    read_user_file,
    user_directory,
)
from pytest_llem.config.layers.variables import PROFILE_VARIABLE, given_by
from pytest_llem.config.leaves import Leaf, leaf
from pytest_llem.config.profiles.finding import detected_profile, profile_called
from pytest_llem.config.profiles.profile import Profile
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_llem.config.documents.document import Document

OPTION = "--llem-profile"


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds before any study, test or option has spoken."""

    layers: Layers = field(default_factory=Layers)
    profile: Profile = field(default_factory=Profile)
    profile_origin: Origin = BUILT_IN
    """Who chose the profile; a default one was detected."""
    files: tuple[str, ...] = ()
    """The files that were read, weakest first."""


def read_standing(
    project: Path,
    environ: Mapping[str, str],
    devices: Callable[[], Sequence[str]],
    profile: str | None = None,
) -> Standing:
    """Read all layers up to the environment's.

    Args:
        project: directory of ``pyproject.toml`` and ``llem.yaml``, which need not exist.
        environ: environment of this process.
        devices: names of the accelerators here, asked for where nobody chose a profile.
        profile: as the command line says it; ``None`` leaves it to the others.

    Raises:
        ConfigError: a file or a variable says what cannot be, and where.
    """
    user, own = read_user_file(environ), read_project(project)
    given: list[Given] = []
    if user is not None:
        given += given_in(user, "user", {PROFILE, COST})
    given += given_in(own, "project", {PROFILE, *_others(own)})
    given += given_by(environ)
    chosen, origin = _profile(profile, environ, user, own, devices)
    documents = [one for one in (user, own) if one is not None and one.value]
    return Standing(
        layered([*chosen.given(), *given]),
        chosen,
        origin,
        tuple(document.file for document in documents),
    )


def _others(document: Document) -> Iterable[str]:
    return OTHER_TABLES if document.file.endswith(".toml") else ()


def _profile(
    option: str | None,
    environ: Mapping[str, str],
    user: Document | None,
    project: Document | None,
    devices: Callable[[], Sequence[str]],
) -> tuple[Profile, Origin]:
    """The profile, and who chose it, the strongest first."""
    directory = user_directory(environ)
    if option:
        origin = Origin("option", by=OPTION)
        return profile_called(option, origin, Path.cwd(), directory), origin
    if text := environ.get(PROFILE_VARIABLE):
        origin = Origin("environment", by=PROFILE_VARIABLE)
        return profile_called(text, origin, Path.cwd(), directory), origin
    for layer, document in (("project", project), ("user", user)):
        if document is not None and PROFILE in document.value:
            place = document.place(PROFILE)
            origin = Origin("project" if layer == "project" else "user", place)
            name = document.value[PROFILE]
            if not isinstance(name, str) or not name:
                raise ConfigError(f"{place}: {PROFILE} must be a name or a path.")
            return profile_called(name, origin, Path(document.file).parent, directory), origin
    return detected_profile(devices(), environ, directory), Origin("default", by="detected")


def told(layers: Layers) -> dict[str, list[Any]]:
    """*layers* for a process elsewhere, in JSON's types."""
    return {path: [one.leaf.plain, one.origin.layer] for path, one in layers.given.items()}


def heard(said: Mapping[str, Sequence[Any]]) -> Layers:
    """What :func:`told` gave, in the process that was told."""
    from pytest_llem.config.layers.layer import Given

    found = ((leaf(path, plain), layer) for path, (plain, layer) in said.items())
    return layered(Given(one, Origin(layer)) for one, layer in found if isinstance(one, Leaf))
