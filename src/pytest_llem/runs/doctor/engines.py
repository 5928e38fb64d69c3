"""Which engines there are, and in which interpreter; none is imported."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING

from pytest_llem.config.homes import read_homes
from pytest_llem.engines import ENGINES
from pytest_llem.errors import LlemError
from pytest_llem.isolation.interpreter import PACKAGES, ask_interpreter
from pytest_llem.results.diagnosis import EngineState
from pytest_llem.runs.launchers import is_here

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llem.config.homes import Home

ANSWER_S = 2.5
"""An interpreter that takes longer is said to."""
HERE = "here"


def engine_states(project: Path, environ: Mapping[str, str]) -> tuple[EngineState, ...]:
    """Every engine that is known or has a home, other interpreters asked at once.

    Raises:
        ConfigError: what the project configures of engines cannot be.
    """
    known = ENGINES.names()
    homes = read_homes(project, environ, known)
    names = sorted({*known, *homes.engines})
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as asking:
        return tuple(asking.map(lambda name: _state(name, homes.of(name), project), names))


def _state(name: str, home: Home, project: Path) -> EngineState:
    if home.python is not None:
        return _elsewhere(name, home.python, project)
    if home.image is not None and not is_here(name):
        return EngineState(
            engine=name,
            place=f"image {home.image}",
            usable=None,
            reason="images are asked when a run begins",
        )
    usable = is_here(name)
    package = PACKAGES.get(name)
    lack = f"{package or name} is not installed in this interpreter"
    return EngineState(
        engine=name,
        place=HERE,
        usable=usable,
        version=_version(package) if usable else None,
        reason=None if usable else lack,
    )


def _elsewhere(name: str, python: str, project: Path) -> EngineState:
    try:
        there = ask_interpreter(name, python, project, timeout_s=ANSWER_S)
    except LlemError as error:
        return EngineState(engine=name, place=python, usable=False, reason=str(error))
    package = PACKAGES.get(name, name)
    versions = [there.packages[one] for one in _spellings(package) if one in there.packages]
    return EngineState(
        engine=name,
        place=python,
        usable=there.lack is None,
        version=next(iter(versions), None),
        reason=there.lack,
    )


def _version(package: str | None) -> str | None:
    for name in _spellings(package or ""):
        with suppress(metadata.PackageNotFoundError, ValueError):
            return metadata.version(name)
    return None


def _spellings(package: str) -> tuple[str, ...]:
    """Distributions that bring the module *package*."""
    return package, package.replace("_", "-"), f"{package}-cpu"
