"""A status line while a long experiment runs, on the row below pytest's own.

While a test runs, pytest has left the cursor in the middle of a line that it will
go on with (``test_chat.py ..``, or the test's name under ``-v``). That line must
stay as it is, so the status is drawn on the row below:

1. ``IND`` (ESC D) goes down one row in the same column and scrolls if that was the
   last row; one up again. Now there is a row below, wherever the cursor was.
2. The cursor is saved, the row below rewritten, the cursor restored. Nothing
   scrolls in between, so the saved position still holds.

Clearing erases that row; pytest's next newline moves onto it. The text goes past
the terminal writer's count of columns (``TerminalReporter.write_raw``), so that
pytest's percentages stay aligned. Control functions: ECMA-48, and DEC STD 070 for
save and restore (``ESC 7``, ``ESC 8``); xterm, VTE, tmux, screen, kitty, iTerm2,
the Linux console and Windows Terminal have them all.
"""

from __future__ import annotations

import math
import os
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_llem.reports.quantities import ESTIMATED_MARK, number
from pytest_llem.reports.text import clean, cut_end, cut_middle, display_width, glyphs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_ROW_BELOW = "\x1bD\x1b[A"
_TO_IT = "\x1b7\x1b[B\r"
_ERASE_REST = "\x1b[K"
_ERASE_BELOW = "\x1b[J"
_BACK = "\x1b8"

LEAST_INTERVAL_NS = 500_000_000
"""At most two updates a second."""
QUIET_NS = 1_000_000_000
"""How long an experiment runs before anything is shown, so that short ones do not flicker."""
_LEAST_NAME = 12
"""Columns below which a cut name says nothing."""
_INDENT = "  "
_HEIGHTS = "▁▂▃▄▅▆▇█"
BARS = 12
"""Powers that are drawn, half a second apart."""


class ProgressEvent(Protocol):
    """Where an experiment stands, as the supervisor sees it."""

    @property
    def phase(self) -> str:
        """What goes on, such as ``loading``, ``warm-up``, ``window`` or ``waiting``."""
        ...

    @property
    def index(self) -> int | None:
        """Number of the window from 0; ``None`` outside windows."""
        ...

    @property
    def count(self) -> int | None:
        """How many windows there will be; ``None`` if that is not known."""
        ...

    @property
    def power_w(self) -> float | None:
        """Latest power in watts; ``None`` if there is none yet."""
        ...

    @property
    def estimated(self) -> bool:
        """Whether the power is an estimate."""
        ...

    @property
    def left_s(self) -> float | None:
        """Seconds that the run will still take; ``None`` if that cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A plain :class:`ProgressEvent`."""

    phase: str
    index: int | None = None
    count: int | None = None
    power_w: float | None = None
    estimated: bool = False
    left_s: float | None = None


class Progress:
    """The status line of the experiment that runs now.

    Not for threads: start, update and clear come from the one that prints.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        width: Callable[[], int],
        enabled: bool,
        unicode: bool,
        clock: Callable[[], int],
    ) -> None:
        """Draw nothing yet.

        Args:
            write: Writes to the terminal and flushes, without counting columns.
            width: Columns of the terminal now.
            enabled: Whether there is a terminal to draw on; see :func:`is_live`.
            unicode: Whether it shows more than ASCII.
            clock: Monotonic nanoseconds.
        """
        self._write = write
        self._width = width
        self._enabled = enabled
        self._unicode = unicode
        self._clock = clock
        self._name = ""
        self._started_ns: int | None = None
        self._next_ns = 0
        self._is_drawn = False
        self._watts: deque[float] = deque(maxlen=BARS)

    def start(self, name: str) -> None:
        """An experiment starts; *name* tells it from the others."""
        self.clear()
        self._watts.clear()
        if self._enabled:
            self._name = name
            self._started_ns = self._clock()
            self._next_ns = self._started_ns + QUIET_NS

    @contextmanager
    def running(self, name: str) -> Iterator[Progress]:
        """Start on entry, stop on leaving, whatever happens in between."""
        self.start(name)
        try:
            yield self
        finally:
            self.stop()

    def update(self, event: ProgressEvent) -> None:
        """Show where the experiment stands, if the last time is long enough ago."""
        if self._started_ns is None:
            return
        now = self._clock()
        if now < self._next_ns:
            return
        self._next_ns = now + LEAST_INTERVAL_NS
        if event.power_w is not None and math.isfinite(event.power_w):
            self._watts.append(event.power_w)
        elapsed_s = (now - self._started_ns) // 1_000_000_000
        room = self._width() - 1  # the last column would wrap on some terminals
        bars = sparkline(self._watts) if self._unicode else ""
        text = status(self._name, event, elapsed_s, width=room, unicode=self._unicode, bars=bars)
        self._draw(text + _ERASE_REST)
        self._is_drawn = True

    def clear(self) -> None:
        """Erase the line; the cursor is where pytest left it. A later update draws again."""
        if self._is_drawn:
            self._is_drawn = False
            self._draw(_ERASE_BELOW)

    def stop(self) -> None:
        """The experiment is over: erase the line and show nothing until the next start."""
        self.clear()
        self._started_ns = None

    def _draw(self, text: str) -> None:
        try:
            self._write(f"{_ROW_BELOW}{_TO_IT}{text}{_BACK}")
        except (OSError, ValueError):  # a terminal that went away is no reason to fail
            self._enabled = False
            self._started_ns = None


def status(  # noqa: PLR0913 - a line has that many parts
    name: str,
    event: ProgressEvent,
    elapsed_s: int,
    *,
    width: int,
    unicode: bool,
    bars: str = "",
) -> str:
    """The status in at most *width* columns; *bars* draw the power of the last seconds.

    Where there is little room, the bars go first, then the experiment's name, what is left,
    the time, and the power; the phase stays.
    """
    signs = glyphs(unicode=unicode)
    gap = f" {signs.dot} "
    name, phase = (clean(text, unicode=unicode) for text in (name, _phase(event)))
    power, left = _power(event, unicode=unicode), _left(event)
    drawn = f"{bars} {power}" if bars and power else power
    full, plain = (
        gap.join(part for part in (phase, elapsed(elapsed_s), watts, left) if part)
        for watts in (drawn, power)
    )
    for text in (full, plain):
        room = width - display_width(_INDENT + gap + text)
        if name and room >= min(_LEAST_NAME, display_width(name)):
            return f"{_INDENT}{cut_middle(name, room, signs.ellipsis)}{gap}{text}"
    timed = gap.join(part for part in (phase, elapsed(elapsed_s), power) if part)
    with_power = gap.join(part for part in (phase, power) if part)
    for text in (plain, timed, with_power, phase):
        if display_width(_INDENT + text) <= width:
            return _INDENT + text
    return cut_end(phase, width, signs.ellipsis)


def _phase(event: ProgressEvent) -> str:
    if event.index is None:
        return event.phase
    of = f" of {event.count}" if event.count is not None else ""
    return f"{event.phase} {event.index + 1}{of}"


def elapsed(elapsed_s: int) -> str:
    """So many seconds in words: ``2 min 05 s``."""
    minutes, seconds = divmod(elapsed_s, 60)
    if not minutes:
        return f"{seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def sparkline(values: Collection[float]) -> str:
    """A bar for each of *values*, of heights from nothing to the largest; empty for fewer than two."""
    most = max(values, default=0.0)
    if len(values) < 2 or most <= 0:  # noqa: PLR2004 - one is no line
        return ""
    top = len(_HEIGHTS) - 1
    return "".join(_HEIGHTS[min(max(round(value / most * top), 0), top)] for value in values)


def _left(event: ProgressEvent) -> str:
    if event.left_s is None:
        return ""
    return f"{ESTIMATED_MARK}{elapsed(max(round(event.left_s), 1))} left"


def _power(event: ProgressEvent, *, unicode: bool) -> str:
    if event.power_w is None:
        return ""
    signs = glyphs(unicode=unicode)
    watts = number(event.power_w, signs=signs).text(signs)
    return f"{ESTIMATED_MARK}{watts} W est." if event.estimated else f"{watts} W"


class Stream(Protocol):
    """What has to be known of an output stream."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        ...

    def fileno(self) -> int:
        """Its file descriptor."""
        ...


def is_live(stream: Stream, environment: Mapping[str, str]) -> bool:
    """Whether *stream* is a terminal on which a line can be redrawn."""
    return environment.get("TERM", "dumb") not in {"", "dumb"} and stream.isatty()


def live_width(stream: Stream) -> Callable[[], int]:
    """Columns of the terminal behind *stream*, whenever asked; 80 if it does not say.

    pytest's own width takes any terminal of fewer than 40 columns for one of 80.
    """

    def width() -> int:
        try:
            return os.get_terminal_size(stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    return width
