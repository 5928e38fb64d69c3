"""pytest inside a child: one item, its reports sent to the supervisor as they happen.

Posing as an xdist worker makes the plugins that write files (JUnit, JSON, report
log, cache, stepwise) stand down by themselves.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_llem._compat import QuietTerminal
from pytest_llem.errors import IsolationError
from pytest_llem.isolation.channel import Channel, ChannelClosedError
from pytest_llem.isolation.child import connect
from pytest_llem.isolation.output import bounded
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
    "llem_repeats": None,
    "llem_max_repeats": None,
    "llem_shuffle": None,
}


@dataclass(frozen=True, slots=True)
class Child:
    """What this process is to its supervisor."""

    channel: Channel
    job: dict[str, Any]


CHILD = pytest.StashKey[Child]()


class Speaks(Protocol):
    """Where reports go: a channel, or what keeps them for one."""

    def send(self, kind: str, **fields: Any) -> None: ...


def enter(config: pytest.Config) -> None:
    """Turn this pytest into a child that runs the one item of its job.

    Raises:
        pytest.UsageError: the supervisor is of another version, or is gone.
    """
    try:
        channel, job = connect()
    except IsolationError as error:
        raise pytest.UsageError(str(error)) from None
    if job.get("contained"):
        job = {**job, "workerinput": localized(job["workerinput"], config)}
    pose_as_worker(config, job, channel)
    config.stash[CHILD] = Child(channel, job)


def pose_as_worker(config: pytest.Config, job: dict[str, Any], speaks: Speaks) -> ChildReports:
    """Have plugins that write files stand down, and reports sent away."""
    config.workerinput = job["workerinput"]  # type: ignore[attr-defined] # as xdist does
    _take_item(config, job)
    for name, value in RESET_OPTIONS.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)
    reports = ChildReports(config, speaks)
    config.pluginmanager.register(reports, "llem-child")
    return reports


def take_job(config: pytest.Config, channel: Channel, job: dict[str, Any]) -> None:
    """Give a pytest that already poses as a worker the one item of its job."""
    config.stash[CHILD] = Child(channel, job)
    _take_item(config, job)


def _take_item(config: pytest.Config, job: dict[str, Any]) -> None:
    config.args = [job["argument"]]
    config.stash[ONLY_POINT] = job["node_id"]
    config.option.basetemp = job["basetemp"]


class ChildReports:
    """Sends what pytest has to say over the control channel."""

    def __init__(self, config: pytest.Config, speaks: Speaks) -> None:
        self._config = config
        self._speaks = speaks

    def speak_over(self, speaks: Speaks) -> None:
        self._speaks = speaks

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.unregister(name="terminalreporter")
        if reporter is not None:
            config.pluginmanager.register(QuietTerminal(reporter), "terminalreporter")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        hook = self._config.hook.pytest_report_to_serializable
        self._send("report", data=bounded(hook(config=self._config, report=report)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._send("uncollected", message=bounded(report.longreprtext))

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
            self._speaks.send(kind, **fields)
