"""Profiles by name, by path, and by the names of devices."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_llem.config.documents.document import Document
from pytest_llem.config.documents.toml import parse_toml, read_toml
from pytest_llem.config.problems import Problem, nearest, problems_of
from pytest_llem.config.profiles.profile import Profile
from pytest_llem.errors import ConfigError
from pytest_llem.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llem.config.layers.layer import Origin

HERE = Path(__file__).parent
ENDING = ".toml"
MEASUREMENT = "[measurement]"
FOLDER = "profiles"
"""Within the user's configuration."""
CPU, CI = "cpu", "ci"
CI_VARIABLE = "CI"
"""Set by GitHub Actions, GitLab CI and most others."""


def profile_called(name: str, by: Origin, here: Path, user: Path | None) -> Profile:
    """The profile *name*, which is also a path if it ends in ``.toml`` or has a slash.

    Args:
        name: of a user's profile, else of a built-in one; or a path.
        by: who asks for it.
        here: where a relative path begins.
        user: the user's configuration directory, if there is one.

    Raises:
        ConfigError: there is no such profile, or its file says what cannot be.
    """
    if name.endswith(ENDING) or "/" in name:
        return _read(here / expanded(name), f"{by}: ")
    own = _user_files(user)
    if name in own:
        return _read(own[name])
    if name in (known := names(user)):
        return built_in(name)
    near = nearest(name, known)
    hint = f" Did you mean {near!r}?" if near else ""
    raise ConfigError(
        f"{by}: there is no profile {name!r}.{hint} Known: {', '.join(known)}; or a path that ends "
        f"in {ENDING}."
    )


def detected_profile(
    devices: Sequence[str], environ: Mapping[str, str], user: Path | None = None
) -> Profile:
    """The profile of a machine with these accelerators.

    Several kinds of them, or one that no profile knows, have an empty one called ``default``;
    no accelerator at all has ``ci`` where ``CI`` is set, else ``cpu``.

    Raises:
        ConfigError: a user's profile says what cannot be.
    """
    if not devices:
        own = CI if environ.get(CI_VARIABLE, "").lower() not in {"", "0", "false"} else CPU
        return _read(_user_files(user)[own]) if own in _user_files(user) else built_in(own)
    found = {
        profile.name: profile for profile in (of_device(d, user) for d in set(devices)) if profile
    }
    known = all(of_device(device, user) for device in set(devices))
    return next(iter(found.values())) if known and len(found) == 1 else Profile()


def of_device(name: str, user: Path | None = None) -> Profile | None:
    """The profile that names this device, a user's own first; ``None`` if there is none.

    Raises:
        ConfigError: a user's profile says what cannot be.
    """
    own = (_read(file) for file in _user_files(user).values())
    for profiles in (own, built_ins()):
        for profile in profiles:
            if any(fnmatchcase(name.strip(), pattern) for pattern in profile.devices):
                return profile
    return None


def names(user: Path | None = None) -> list[str]:
    """Names of all profiles."""
    return sorted({*_user_files(user), *(Path(file).stem for file in _built_in_files())})


@cache
def built_ins() -> tuple[Profile, ...]:
    """The profiles that come with the package."""
    return tuple(built_in(Path(file).stem) for file in _built_in_files())


@cache
def built_in(name: str) -> Profile:
    """The profile *name* that comes with the package."""
    file = HERE / (name + ENDING)
    text = file.read_text(encoding="utf-8")
    if MEASUREMENT not in text:  # no field of which to say where it stands
        return _parsed(Document(str(file), tomllib.loads(text)), name)
    return _parsed(parse_toml(text, str(file)), name)


@cache
def _built_in_files() -> tuple[str, ...]:
    return tuple(sorted(file.name for file in HERE.glob(f"*{ENDING}")))


def _user_files(user: Path | None) -> dict[str, Path]:
    if user is None or not (user / FOLDER).is_dir():
        return {}
    return {file.stem: file for file in sorted((user / FOLDER).glob(f"*{ENDING}"))}


def _read(file: Path, asked: str = "") -> Profile:
    try:
        return _parsed(read_toml(file), file.stem)
    except FileNotFoundError:
        raise ConfigError(f"{asked}there is no profile {file}.") from None


def read_profile(file: Path) -> Profile:
    """The profile in *file*.

    Raises:
        ConfigError: there is none, or it says what cannot be, and where.
    """
    return _read(file)


def _parsed(document: Document, name: str) -> Profile:
    values: dict[str, Any] = {"name": name, **document.value}
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(document, problems_of(error, Profile)))) from None
    profile._document = document  # noqa: SLF001 - a file's profile knows its places
    profile.given()
    return profile


def _lines(document: Document, problems: Iterable[Problem]) -> list[str]:
    return [f"{document.place(*problem.path.split('.'))}: {problem}" for problem in problems]
