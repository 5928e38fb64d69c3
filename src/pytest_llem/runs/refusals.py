"""Refusing a run from inside a worker of pytest-xdist, which cannot end the session itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_llem.errors import LlemError

REFUSED = "llem_refused"
"""Key of ``workeroutput`` by which a worker tells the controller why it runs nothing."""
NAME = "llem-refusals"


def refuse(session: pytest.Session, error: LlemError) -> None:
    """Run nothing of *session* because of *error*.

    Raises:
        pytest.UsageError: this process is no worker, and that ends the session.
    """
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        raise pytest.UsageError(str(error)) from None
    output[REFUSED] = str(error)
    session.items.clear()


class Refusals:
    """Ends the controller's session as a usage error where workers refused."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        said = getattr(node, "workeroutput", {}).get(REFUSED)
        if said is not None:
            self._said[said] = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._said:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for text in self._said:
            terminalreporter.write_line(f"ERROR: {text}", red=True)


def hear_refusals(config: pytest.Config) -> None:
    """Listen to workers, in the process that controls them."""
    if not config.pluginmanager.has_plugin(NAME):
        config.pluginmanager.register(Refusals(), NAME)
