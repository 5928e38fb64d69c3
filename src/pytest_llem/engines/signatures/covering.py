"""Coverage of an engine as it is installed, or of the committed list where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.coverage.compare import coverage_of
from pytest_llem.config.coverage.listing import listings
from pytest_llem.engines.signatures.installed import ask, interpreter_of

if TYPE_CHECKING:
    from pytest_llem.config.coverage.compare import Coverage


def coverage_now(engine: str, python: str | None = None) -> Coverage:
    """What the section of *engine* covers of it as *python*, or the configured interpreter, has it.

    Raises:
        ConfigError: the project's configuration says what cannot be.
        EngineError: an interpreter is given or configured, and the engine not there.
    """
    listing = listings()[engine]
    python = python or interpreter_of(engine, Path.cwd())
    if python is None:
        return coverage_of(listing)
    installed = ask(engine, python)
    return coverage_of(listing, installed.parameters, installed.version)
