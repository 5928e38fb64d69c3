from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.reports.progress import (
    LEAST_INTERVAL_NS,
    QUIET_NS,
    Progress,
    Step,
    is_live,
    live_width,
    status,
)
from pytest_llem.reports.text import display_width

if TYPE_CHECKING:
    from pathlib import Path

SECOND_NS = 1_000_000_000
WINDOW = Step("window", index=2, count=5, power_w=212.4)
ESTIMATE = Step("window", index=2, count=5, power_w=14.2, estimated=True)


class Screen:
    """A terminal with the control functions that are used, as ECMA-48 and DEC define them."""

    PIECE = re.compile(r"\x1b\[(\d*)([ABKJ])|\x1b([D78])|\x1b\[[?\d;]*[a-zA-Z]|(.)", re.DOTALL)

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.width, self.height = width, height
        self.rows = [[" "] * width for _ in range(height)]
        self.gone: list[str] = []
        self.y = self.x = 0
        self.saved = (0, 0)
        self.shown: list[str] = []

    def write(self, text: str) -> None:
        for csi, final, escape, character in self.PIECE.findall(text):
            if final:
                self._control(int(csi or 0), final)
            elif escape:
                self._escape(escape)
            elif character:
                self._put(character)
        self.shown.append(self.text)

    def _control(self, count: int, final: str) -> None:
        if final == "A":
            self.y = max(self.y - max(count, 1), 0)
        elif final == "B":
            self.y = min(self.y + max(count, 1), self.height - 1)
        else:
            self.rows[self.y][self.x :] = [" "] * (self.width - self.x)
            if final == "J":
                for row in self.rows[self.y + 1 :]:
                    row[:] = [" "] * self.width

    def _escape(self, escape: str) -> None:
        if escape == "7":
            self.saved = (self.y, self.x)
        elif escape == "8":
            self.y, self.x = self.saved
        else:
            self._down()

    def _put(self, character: str) -> None:
        if character == "\r":
            self.x = 0
        elif character == "\n":  # the terminal driver adds the carriage return
            self.x = 0
            self._down()
        elif character >= " ":
            if self.x == self.width:
                self.x = 0
                self._down()
            self.rows[self.y][self.x] = character
            self.x += 1

    def _down(self) -> None:
        if self.y < self.height - 1:
            self.y += 1
        else:
            self.gone.append("".join(self.rows.pop(0)).rstrip())
            self.rows.append([" "] * self.width)

    @property
    def lines(self) -> list[str]:
        return [*self.gone, *("".join(row).rstrip() for row in self.rows)]

    @property
    def text(self) -> str:
        """All that is on the screen or scrolled off it, without blank rows at the end."""
        return "\n".join(self.lines).rstrip()


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def progress(screen: Screen, clock: Clock) -> Progress:
    return drawn_on(screen, clock)


def drawn_on(screen: Screen, clock: Clock, *, enabled: bool = True) -> Progress:
    return Progress(
        screen.write, width=lambda: screen.width, enabled=enabled, unicode=True, clock=clock
    )


def test_the_status_stands_below_the_line_that_pytest_goes_on_with(
    progress: Progress, screen: Screen, clock: Clock
) -> None:
    screen.write("test_chat.py ..")
    progress.start("test_chat[float32-8]")
    clock.pass_s(12)
    progress.update(WINDOW)
    assert screen.lines[:2] == [
        "test_chat.py ..",
        "  test_chat[float32-8] · window 3 of 5 · 12 s · 212 W",
    ]
    progress.clear()
    screen.write(".")
    assert screen.text == "test_chat.py ..."


def test_on_the_last_row_the_screen_scrolls_once(
    progress: Progress, screen: Screen, clock: Clock
) -> None:
    screen.write("\n" * 30 + "test_chat.py::test_chat ")
    progress.start("test_chat")
    for _ in range(5):
        clock.pass_s(1)
        progress.update(WINDOW)
    assert screen.lines[-2] == "test_chat.py::test_chat"
    assert screen.lines[-1].startswith("  test_chat · window 3 of 5 · 5 s")
    assert len(screen.gone) == 30 - 23 + 1
    progress.clear()
    screen.write("PASSED\n")
    assert screen.lines[-2:] == ["test_chat.py::test_chat PASSED", ""]


@given(
    st.integers(2, 12),
    st.integers(20, 60),
    st.text("ab \n", max_size=300),
    st.text("xyz\n", max_size=100),
)
def test_nothing_is_left_once_it_is_cleared(
    height: int, width: int, before: str, after: str
) -> None:
    with_status, without, clock = Screen(width, height), Screen(width, height), Clock()
    progress = drawn_on(with_status, clock)
    for screen in (with_status, without):
        screen.write(before)
        if screen.x == width:  # where wrapping is pending, a terminal forgets it
            screen.write("\n")
    progress.start("name")
    clock.pass_s(2)
    progress.update(WINDOW)
    progress.clear()
    for screen in (with_status, without):
        screen.write(after + "|")
    assert with_status.text == without.text


def test_it_is_drawn_at_most_twice_a_second(
    progress: Progress, screen: Screen, clock: Clock
) -> None:
    progress.start("name")
    for _ in range(1000):
        clock.pass_s(0.01)
        progress.update(WINDOW)
    assert 2 < len(screen.shown) <= 2 * 10


def test_a_short_experiment_shows_nothing(progress: Progress, screen: Screen, clock: Clock) -> None:
    progress.start("name")
    clock.now_ns = QUIET_NS - 1
    progress.update(WINDOW)
    progress.stop()
    assert screen.shown == []


def test_after_clearing_a_later_update_draws_again(
    progress: Progress, screen: Screen, clock: Clock
) -> None:
    progress.start("name")
    clock.pass_s(2)
    progress.update(WINDOW)
    progress.clear()
    progress.clear()
    assert screen.text == ""
    clock.now_ns += LEAST_INTERVAL_NS
    progress.update(WINDOW)
    assert "window 3 of 5" in screen.text


def test_it_is_erased_when_the_experiment_is_broken_off(
    progress: Progress, screen: Screen, clock: Clock
) -> None:
    def interrupted() -> None:
        with progress.running("name"):
            clock.pass_s(2)
            progress.update(WINDOW)
            assert "window 3 of 5" in screen.text
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    clock.pass_s(2)
    progress.update(WINDOW)
    assert screen.text == ""


def test_what_is_no_terminal_gets_nothing(screen: Screen, clock: Clock) -> None:
    progress = drawn_on(screen, clock, enabled=False)
    with progress.running("name"):
        clock.pass_s(60)
        progress.update(WINDOW)
    assert screen.shown == []


def test_a_terminal_that_goes_away_does_no_harm(clock: Clock) -> None:
    calls = []

    def fail(text: str) -> None:
        calls.append(text)
        raise OSError(5, "Input/output error")

    progress = Progress(fail, width=lambda: 80, enabled=True, unicode=True, clock=clock)
    with progress.running("name"):
        for _ in range(10):
            clock.pass_s(2)
            progress.update(WINDOW)
    assert len(calls) <= 2


def test_an_estimate_is_marked_and_named() -> None:
    assert (
        status("", ESTIMATE, 4, width=80, unicode=False) == "  window 3 of 5 - 4 s - ~14.2 W est."
    )


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (70, "  test_chat[float32-8] · window 3 of 5 · 1 min 05 s · ~14.2 W est."),
        (60, "  test_ch…t32-8] · window 3 of 5 · 1 min 05 s · ~14.2 W est."),
        (50, "  window 3 of 5 · 1 min 05 s · ~14.2 W est."),
        (34, "  window 3 of 5 · ~14.2 W est."),
        (20, "  window 3 of 5"),
        (8, "window …"),
        (0, ""),
    ],
)
def test_where_there_is_little_room_the_phase_stays(width: int, text: str) -> None:
    shown = status("test_chat[float32-8]", ESTIMATE, 65, width=width, unicode=True)
    assert shown == text


@pytest.mark.parametrize(
    ("elapsed_s", "text"), [(0, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3720, "1 h 02 min")]
)
def test_time_is_written_for_people(elapsed_s: int, text: str) -> None:
    assert status("", Step("loading"), elapsed_s, width=80, unicode=True) == f"  loading · {text}"


@given(
    st.text(max_size=50),
    st.text(max_size=20),
    st.none() | st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
    st.none() | st.floats(),
    st.booleans(),
    st.integers(0, 10**7),
    st.integers(-1, 120),
)
def test_a_status_always_fits(  # noqa: PLR0913, PLR0917 -- one per input
    name: str,
    phase: str,
    index: int | None,
    count: int | None,
    power_w: float | None,
    estimated: bool,
    elapsed_s: int,
    width: int,
) -> None:
    event = Step(phase, index, count, power_w, estimated)
    for unicode in (True, False):
        shown = status(name, event, elapsed_s, width=width, unicode=unicode)
        assert display_width(shown) <= max(width, 0)
        assert unicode or shown.isascii()


@pytest.mark.parametrize(
    ("terminal", "environment", "live"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_only_a_terminal_that_can_redraw_is_live(
    terminal: bool, environment: dict[str, str], live: bool
) -> None:
    class Stream:
        def isatty(self) -> bool:
            return terminal

        def fileno(self) -> int:
            return -1

    assert is_live(Stream(), environment) is live
    assert live_width(Stream())() == 80


def open_terminal() -> tuple[int, int]:
    """Both ends of a terminal of 36 columns and 7 rows."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 7, 36, 0, 0))
    return ours, theirs


def test_the_width_is_that_of_the_terminal_however_narrow() -> None:
    ours, theirs = open_terminal()
    with os.fdopen(ours), os.fdopen(theirs, "w") as stream:
        assert is_live(stream, {"TERM": "xterm"})
        assert live_width(stream)() == 36


CONFTEST = """
import itertools, os, sys
import pytest
from pytest_llem.reports.progress import Progress, Step, is_live, live_width

@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    ticks = itertools.count(step=400_000_000)

    def write(text):  # pytest 8.4 has no write_raw
        reporter._tw._file.write(text)
        reporter._tw.flush()

    pytest.progress_config = config
    config.progress = Progress(
        write,
        width=live_width(sys.stdout),
        enabled=is_live(sys.stdout, os.environ),
        unicode=False,
        clock=lambda: next(ticks),
    )

@pytest.hookimpl(wrapper=True)
def pytest_runtest_logstart(nodeid):
    yield
    config = pytest.progress_config
    with config.progress.running(nodeid.rpartition("::")[2]):
        for index in range(10):
            config.progress.update(Step("window", index, 10, 14.2, True))
"""
TESTS = """
import pytest

@pytest.mark.parametrize("i", range(30))
def test_chat(i):
    assert i != 7
"""


@pytest.mark.parametrize("arguments", [["-v"], []])
def test_pytest_s_own_output_stays_as_it_is(tmp_path: Path, arguments: list[str]) -> None:
    """A real pytest on a real terminal, with and without a status line while it runs."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_some.py").write_text(TESTS)
    drawn = run_on_terminal(tmp_path, "xterm", arguments)
    plain = run_on_terminal(tmp_path, "dumb", arguments)
    assert any("window 3 of 10" in text for text in drawn.shown)
    assert "window" not in drawn.text
    assert without_times(drawn.text) == without_times(plain.text)


def without_times(text: str) -> str:
    """The text without durations, the rules around them, and what pytest says after half a second."""
    collected = re.sub(r"collecting [^\n]*\n+(?=collect)", "", text)
    return re.sub(r"=+\n?", "=", re.sub(r"\d+\.\d+s", "TIME", collected))


def run_on_terminal(directory: Path, kind: str, arguments: list[str]) -> Screen:
    plugins = ["no:cacheprovider", "no:randomly", "no:terminalprogress", "no:llem"]
    options = [word for plugin in plugins for word in ("-p", plugin)]
    ours, theirs = open_terminal()
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "--tb=no", "--color=no", *options, *arguments],
        cwd=directory,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": kind},
    ):
        os.close(theirs)
        received = b"".join(iter(lambda: read(ours), b""))
    os.close(ours)
    screen = Screen(36, 7)
    for piece in re.split(r"(?<=\x1b8)", received.decode()):
        screen.write(piece.replace("\r\n", "\n"))
    return screen


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""
