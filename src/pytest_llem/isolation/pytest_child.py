"""pytest inside a child: one item, its reports sent to the supervisor as they happen.

Posing as an xdist worker makes the plugins that write files (JUnit, JSON, report
log, cache, stepwise) stand down by themselves.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem._compat import QuietTerminal
from pytest_llem.errors import IsolationError
from pytest_llem.isolation.channel import Channel, ChannelClosedError
from pytest_llem.isolation.child import connect
from pytest_llem.isolation.worker_input import localized
from pytest_llem.plan.only import ONLY_POINT

if TYPE_CHECKING:
    import warnings

RESET_OPTIONS: dict[str, Any] = {
    "numprocesses": None,
    "dist": "no",
    "tx": [],
    "lf": False,
    "failedfirst": False,
    "newfirst": False,
    "stepwise": False,
    "stepwise_skip": False,
    "maxfail": 0,
    "llem_dry_run": False,
}


@dataclass(frozen=True, slots=True)
class Child:
    """What this process is to its supervisor."""

    channel: Channel
    job: dict[str, Any]


CHILD = pytest.StashKey[Child]()


def enter(config: pytest.Config) -> None:
    """Turn this pytest into a child that runs the one item of its job.

    Raises:
        pytest.UsageError: the supervisor is of another version, or is gone.
    """
    try:
        channel, job = connect()
    except IsolationError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[CHILD] = Child(channel, job)
    given = localized(job["workerinput"], config) if job.get("contained") else job["workerinput"]
    config.workerinput = given  # type: ignore[attr-defined] # as xdist does
    config.args = [job["argument"]]
    config.stash[ONLY_POINT] = job["node_id"]
    for name, value in RESET_OPTIONS.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    config.option.basetemp = job["basetemp"]
    config.pluginmanager.register(ChildReports(config, channel), "llem-child")


class ChildReports:
    """Sends what pytest has to say over the control channel."""

    def __init__(self, config: pytest.Config, channel: Channel) -> None:
        self._config = config
        self._channel = channel

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.unregister(name="terminalreporter")
        if config.getoption("usepdb"):
            config.pluginmanager.register(QuietTerminal(config, reporter), "terminalreporter")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        hook = self._config.hook.pytest_report_to_serializable
        self._send("report", data=hook(config=self._config, report=report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._send("uncollected", message=report.longreprtext)

    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: str,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        category = warning_message.category
        self._send(
            "warning",
            data={
                "text": str(warning_message.message),
                "category": [category.__module__, category.__qualname__],
                "filename": warning_message.filename,
                "lineno": warning_message.lineno,
                "when": when,
                "nodeid": nodeid,
                "location": location,
            },
        )

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._send(
            "interrupted",
            reason=str(excinfo.value),
            exits=excinfo.errisinstance(pytest.exit.Exception),
            status=getattr(excinfo.value, "returncode", None),
        )

    def pytest_internalerror(self, excrepr: object) -> None:
        self._send("uncollected", message=str(excrepr))

    def _send(self, kind: str, **fields: Any) -> None:
        with contextlib.suppress(ChannelClosedError):
            self._channel.send(kind, **fields)
