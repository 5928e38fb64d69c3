"""The run in pytest's terminal: its header, its progress, its summary."""

from __future__ import annotations

import itertools
import os
import sys
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from pytest_llem._compat import Terminal, terminal_lent
from pytest_llem.devices.several import described
from pytest_llem.isolation.choice import described as described_isolation
from pytest_llem.reports.header import header_lines
from pytest_llem.reports.progress import Progress as ProgressLine
from pytest_llem.reports.progress import Step, is_live, live_width
from pytest_llem.runs.standing import short_windows, standing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import pytest

    from pytest_llem.isolation.exclusive.leases import Obstacle
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.conductor import Conductor
    from pytest_llem.runs.processes import Show
    from pytest_llem.runs.summary import Summary


def header(conductor: Conductor, config: pytest.Config, points: Sequence[Point] = ()) -> list[str]:
    """The machine, the meter and why it was chosen."""
    if config.get_verbosity() < 0:
        return []
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    name, why = described(conductor.instruments.choices)
    lines = header_lines(
        machine=conductor.environment,
        meter_name=name,
        meter_why=why,
        measured=conductor.instruments.choice.measured,
        profile=conductor.settings.profile,
        isolation=described_isolation(
            conductor.settings.isolation, debugging=config.getoption("usepdb")
        ),
        unicode=reporter is None or Terminal(reporter).unicode,
    )
    described_there = conductor.launchers.described()
    short = short_windows(points, standing_of(config).profile)
    return [*lines, *(f"llem: {line}" for line in (*described_there, *short))]


def write_summary(summary: Summary, reporter: pytest.TerminalReporter) -> None:
    """Write what the run came to, below pytest's own sections."""
    writer = Terminal(reporter)
    if reporter.verbosity >= 0:
        reporter.write_sep("=", "energy")  # section() does not end the line of dots
    lines = summary.lines(
        width=writer.fullwidth,
        colour=writer.hasmarkup,
        unicode=writer.unicode,
        verbosity=reporter.verbosity,
    )
    added = reporter.config.hook.pytest_llem_report(config=reporter.config, results=summary.results)
    for line in (*lines, *itertools.chain.from_iterable(added), *summary.github.annotations):
        reporter.write_line(line)


def teller(config: pytest.Config, run_id: Callable[[], str]) -> Callable[[str, Obstacle], None]:
    """Says whom an experiment waits for, on a line of its own.

    A worker has the error stream to say it. It does not say that it waits for another worker
    of its run: that they take turns is what was asked for.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    is_worker = hasattr(config, "workerinput")

    def tell(text: str, obstacle: Obstacle) -> None:
        if is_worker or reporter is None:
            if obstacle.holder is None or obstacle.holder.run != run_id():
                with terminal_lent(config):
                    sys.stderr.write(f"llem: {text}\n")
                    sys.stderr.flush()
            return
        reporter.ensure_newline()
        reporter.write_line(f"llem: {text}")

    return tell


def sayer(config: pytest.Config) -> Callable[[str, int], None]:
    """Writes a line where pytest reports, if it is as talkative as the line needs."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")

    def say(text: str, verbosity: int) -> None:
        if reporter is not None and reporter.verbosity >= verbosity:
            reporter.ensure_newline()
            reporter.write_line(text)

    return say


def watcher(
    config: pytest.Config, left_s: Callable[[], float | None], *, estimated: bool
) -> Callable[[str], AbstractContextManager[Show | None]]:
    """Shows the named experiment on a status line, where there is a terminal to show it on.

    Args:
        config: of the session.
        left_s: seconds that the run will still take, as far as that is known.
        estimated: whether power is an estimate.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    talks_itself = config.getoption("capture") == "no" or config.getoption("usepdb")
    if reporter is None or talks_itself or not is_live(sys.stdout, os.environ):
        return lambda _: nullcontext()
    terminal = Terminal(reporter)
    line = ProgressLine(
        terminal.write,
        width=live_width(sys.stdout),
        enabled=True,
        unicode=terminal.unicode,
        clock=time.monotonic_ns,
    )

    def show(progress: Progress) -> None:
        line.update(
            Step(
                progress.phase,
                progress.index,
                progress.count,
                progress.power_w,
                estimated,
                left_s(),
            )
        )

    @contextmanager
    def watch(name: str) -> Iterator[Show]:
        with line.running(name):
            yield show

    return watch
