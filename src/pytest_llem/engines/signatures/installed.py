"""What an engine that is installed can be told, asked of it in an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE = Path(__file__).with_name("probe.py")
LIMIT_S = 300.0
"""Importing vLLM takes some ten seconds, on a busy machine a minute."""


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed engine's own word."""

    version: str
    parameters: frozenset[str]
    """As ``group.name``."""


def interpreter_of(
    engine: str, project: Path, environ: Mapping[str, str] = os.environ
) -> str | None:
    """Python that has *engine*: the one configured for it, else this one, else none.

    An engine that is configured to run in a container is not asked.

    Raises:
        ConfigError: the configuration of *project* says what cannot be.
    """
    from pytest_llem.config.homes import read_homes

    home = read_homes(project, environ, [engine]).of(engine)
    if home.python is not None:
        return home.python
    here = home.image is None and find_spec(engine) is not None
    return sys.executable if here else None


def ask(engine: str, python: str, limit_s: float = LIMIT_S) -> Installed:
    """The parameters of *engine* in the environment of *python*.

    Raises:
        EngineError: the interpreter cannot be run, or the engine not imported there.
    """
    command = [python, str(PROBE), engine]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)  # noqa: S603 - an interpreter that the user configured
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{engine} could not be asked for its parameters: {error}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise EngineError(
            f"{engine} could not be asked for its parameters in {python}: "
            f"{said[-1].strip() if said else f'exit status {done.returncode}'}"
        )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise EngineError(
            f"{engine} could not be asked for its parameters: {python} is no Python, or one that "
            "does not run what it is given."
        ) from None
    names = {f"{group}.{name}" for group, names in told["parameters"].items() for name in names}
    return Installed(told["version"], frozenset(names))
