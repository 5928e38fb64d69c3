"""What a comparison of two sides says, as lines."""

from __future__ import annotations

import time
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pytest_llem.reports.progress import Step, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_llem.baselines.self_check import Recommended, Seen, SelfCheck
    from pytest_llem.results.environment import Environment

_SHORT_HASH = 10
_ERASE = "\r\x1b[K"


class Tale:
    """Lines of progress; on a terminal a single one that is written over."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        width: Callable[[], int],
        live: bool,
        unicode: bool,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Write nothing yet.

        Args:
            write: Writes to the terminal, or to what stands in for one, and flushes.
            width: Columns of the terminal now.
            live: Whether it is a terminal on which a line can be written over.
            unicode: Whether it shows more than ASCII.
            clock: Monotonic nanoseconds.
        """
        self._write, self._width, self._live = write, width, live
        self._unicode, self._clock = unicode, clock

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{_ERASE if self._live else ''}{text}\n")

    def ended(self, name: str) -> None:
        """The process called *name* has ended well: a line, where none is written over."""
        if self._live:
            self._write(_ERASE)
        else:
            self.say(name)

    def watch(self, name: str) -> Callable[[Mapping[str, Any]], None] | None:
        """What shows how the process called *name* gets on; ``None`` where there is no terminal."""
        if not self._live:
            return None
        began_ns = self._clock()

        def show(fields: Mapping[str, Any]) -> None:
            elapsed_s = (self._clock() - began_ns) // 1_000_000_000
            width = max(self._width() - 1, 1)  # the last column would wrap on some terminals
            step = Step(**fields)
            self._write(_ERASE + status(name, step, elapsed_s, width=width, unicode=self._unicode))

        show({"phase": "starting"})
        return show


def only_lines(only: Mapping[str, Sequence[str]], *, most: int = 5) -> Iterator[str]:
    """Which experiments were left out, since the other side has none of their names."""
    for side, names in only.items():
        if names:
            more = f" and {len(names) - most} more" if len(names) > most else ""
            yield f"only on side {side}, not compared: {', '.join(names[:most])}{more}"


def headline(
    sides: Mapping[str, str], environments: Mapping[str, Environment], rounds: Sequence[int]
) -> Iterator[str]:
    """What is compared with what; *rounds* are those of each experiment."""
    for name, described in sides.items():
        yield f"{name}: {described}{_commit(environments.get(name))}"
    few, many = min(rounds, default=0), max(rounds, default=0)
    span = f"{many}" if few == many else f"{few} to {many}"
    processes = f"{span} {_noun('process', 'es', many)} of each on each side"
    experiments = f"{len(rounds)} {_noun('experiment', 's', len(rounds))}"
    yield f"{experiments}, {processes}, in turns; changes are of b against a"


def spending(spent: int, most: int, each: int) -> str:
    """What deciding took, of the *most* processes that *each* experiment having all had been."""
    saved = most - spent
    return (
        f"llem: {spent} processes, {saved} fewer than {each} of each on each side (--max-repeats)"
    )


def _commit(environment: Environment | None) -> str:
    git = None if environment is None else environment.git
    if git is None or git.commit is None:
        return ""
    return f" (commit {git.commit[:_SHORT_HASH]}{', with changes' if git.dirty else ''})"


def _noun(word: str, plural: str, count: int) -> str:
    return word if count == 1 else word + plural


def self_check_lines(check: SelfCheck | None, width: int) -> Iterator[str]:
    """What measuring the same thing twice showed, and what to declare."""
    for line in _said(check):
        indent = len(line) - len(line.lstrip())
        yield from wrap(
            line,
            max(width, 20),
            subsequent_indent=" " * (indent + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )


def _said(check: SelfCheck | None) -> Iterator[str]:
    if check is None:
        yield "nothing could be compared, so nothing can be said of this machine"
        return
    yield from _false_alarms(check)
    yield "smallest change beyond the tolerance that is found four times in five, by the most processes a side:"
    for one in check.seen:
        yield f"  {one.experiment}{_of(one)} {one.metric}: {_reaches(one.reach)}"
    turns, stored = "for both sides in one session", "against a stored baseline of one session"
    for advice in check.recommended:
        command = f"llem ab --gate '{_gate(advice)}' --max-repeats {advice.repeats}"
        yield f"recommended {turns}: {command}; {_finds(advice)}"
    for advice in check.recommended_stored:
        command = f"pytest --llem-gate='{_gate(advice)}' --llem-repeats={advice.repeats}"
        yield f"recommended {stored}, since days differ: {command}; {_finds(advice)}"
    for how, known in ((turns, check.recommended), (stored, check.recommended_stored)):
        for metric in _without(check, known):
            yield f"no tolerance of {metric} is of use {how}: it varies too much here"


def _without(check: SelfCheck, known: Sequence[Recommended]) -> Iterator[str]:
    metrics = dict.fromkeys(one.metric for one in check.seen)
    yield from (one for one in metrics if one not in {advice.metric for advice in known})


def _false_alarms(check: SelfCheck) -> Iterator[str]:
    comparisons = f"{check.compared} {_noun('comparison', 's', check.compared)}"
    yield (
        f"false alarms: {100 * check.false_alarms:.2g} % of {comparisons}, in {check.deals} ways to "
        f"deal {check.rounds} {_noun('round', 's', check.rounds)} to two sides; at most "
        f"{100 * check.false_alarms_at_most:.2g} % with 95 % confidence (more rounds or experiments "
        "tell it better)"
    )
    if check.compared > 1:
        yield f"  any false alarm: {100 * check.any_false_alarm:.2g} % of deals; gates allow 1 %"


def _of(one: Seen) -> str:
    return "" if one.measurement == "workload" else f" ({one.measurement})"


def _reaches(reach: Mapping[int, float]) -> str:
    return ", ".join(f"{100 * change:.1f} % with {count}" for count, change in reach.items())


def _gate(one: Recommended) -> str:
    return f"{one.metric}:{100 * one.tolerance:.3g}%"


def _finds(one: Recommended) -> str:
    return f"finds changes of {200 * one.tolerance:.3g} %"
