"""Loading an engine for an experiment, and closing it whatever happens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_llem.components.contract import problems_of
from pytest_llem.engines import ENGINES
from pytest_llem.engines.effective import differences
from pytest_llem.engines.engine import Session
from pytest_llem.errors import ComponentError
from pytest_llem.workloads.batch import check_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.measure.link import SupervisorLink


@contextmanager
def open_session(config: ExperimentConfig, link: SupervisorLink) -> Iterator[Session]:
    """The engine session of *config*; the supervisor learns what really took effect.

    Once the model is loaded the supervisor looks at what the devices draw with nothing to do.

    Raises:
        ConfigError: the workload cannot be had as configured.
        EngineError: the model could not be loaded.
        MissingExtraError: the engine is not installed.
        ComponentError: the engine, or what it loaded, is not what an engine has to be.
    """
    check_source(config)
    link.phase(f"loading {config.model}")
    session = ENGINES.load(config.backend)().load(config)
    _require_whole(session, config.backend)
    try:
        description = session.describe()
        link.engine({**description, "differences": differences(config, description)})
        if config.measurement.idle_s:
            link.idle(config.measurement.idle_s)
        link.phase("ready")
        yield session
    finally:
        session.close()


def _require_whole(session: object, engine: str) -> None:
    problems = problems_of(session, Session)
    if problems:
        raise ComponentError(
            f"what the engine {engine!r} loaded is no session: {'; '.join(problems)}. "
            "Upgrade the distribution that adds the engine; llem components names it."
        )
