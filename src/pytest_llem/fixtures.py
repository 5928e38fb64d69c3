"""The ``energy`` and ``model`` fixtures."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.engines.engine import Session
    from pytest_llem.measure.instrument import Energy


@pytest.fixture
def energy(request: pytest.FixtureRequest) -> Energy:
    """Measures energy: ``energy.measure(model)``, ``energy.measure(function, work=…)``."""
    from pytest_llem.isolation.pytest_child import CHILD
    from pytest_llem.measure.instrument import Energy
    from pytest_llem.measure.link import SupervisorLink

    child = request.config.stash[CHILD]
    link = SupervisorLink(child.channel)
    link.attempt()
    return Energy(link, child.job["config"])


@pytest.fixture
def model(energy: Energy) -> Iterator[Session]:
    """The experiment's model, loaded by its engine: ``model.generate(requests)``."""
    from pytest_llem.measure.session import open_session

    with ExitStack() as stack:
        try:
            session = stack.enter_context(open_session(energy.config, energy.link))
        except LlemError as error:
            why = f"{type(error).__name__}: {error}"
        else:
            yield session
            return
    pytest.fail(why, pytrace=False)  # outside of the handler: pytest would print the error twice
