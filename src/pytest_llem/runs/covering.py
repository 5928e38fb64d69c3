"""How many of the parameters that engines have their sections have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.config.coverage.listing import listings
from pytest_llem.config.problems import unknown_value
from pytest_llem.config.sections import engine_called
from pytest_llem.engines.signatures.covering import coverage_now
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pytest_llem.config.coverage.compare import Coverage


def engine_coverage(engine: str | None = None, python: str | None = None) -> list[Coverage]:
    """What the sections of engines cover of them.

    Args:
        engine: one engine; ``None`` is all.
        python: interpreter that has *engine* installed; ``None`` is as configured, else the
            committed list.

    Raises:
        ConfigError: there is no such engine, or an interpreter and no engine.
        EngineError: an interpreter is given or configured, and the engine not there.
    """
    known = listings()
    engine = engine and engine_called(engine)
    if engine is not None and engine not in known:
        raise ConfigError(str(unknown_value("engine", engine, known, "engine")))
    if python is not None and engine is None:
        raise ConfigError("--python needs --engine: one interpreter is that of one engine.")
    return [coverage_now(name, python) for name in ([engine] if engine else known)]
