"""What a comparison of two sides says, as lines."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def only_lines(only: Mapping[str, Sequence[str]], *, most: int = 5) -> Iterator[str]:
    """Which experiments were left out, since the other side has none of their names."""
    for side, names in only.items():
        if names:
            more = f" and {len(names) - most} more" if len(names) > most else ""
            yield f"only on side {side}, not compared: {', '.join(names[:most])}{more}"


def headline(a: str, b: str, experiments: int, rounds: int) -> list[str]:
    """What is compared with what."""
    processes = f"{rounds} process{'' if rounds == 1 else 'es'} of each on each side"
    count = f"{experiments} experiment{'' if experiments == 1 else 's'}"
    return [f"a: {a}", f"b: {b}", f"{count}, {processes}, in turns; changes are of b against a"]


class Checked(Protocol):
    """A metric of an experiment that was measured against itself."""

    @property
    def experiment(self) -> str:
        """Its node id."""
        ...

    @property
    def metric(self) -> str: ...
    @property
    def processes(self) -> int: ...
    @property
    def false_alarms(self) -> float: ...
    @property
    def reach(self) -> Mapping[int, float]: ...


class Advice(Protocol):
    """What a gate should be declared with."""

    @property
    def tolerance(self) -> float: ...
    @property
    def rounds(self) -> int: ...


def self_check_lines(checks: Sequence[Checked], advice: Advice | None, width: int) -> Iterator[str]:
    """What measuring the same thing twice showed, and what to declare."""
    for line in _said(checks, advice):
        yield from wrap(line, max(width, 20), subsequent_indent="    ", break_long_words=False)


def _said(checks: Sequence[Checked], advice: Advice | None) -> Iterator[str]:
    if advice is None:
        yield "nothing could be compared, so nothing can be said of this machine"
        return
    for one in checks:
        seen = ", ".join(f"{100 * reach:.1f} % with {n}" for n, reach in one.reach.items())
        yield f"{one.experiment} {one.metric}"
        yield f"  false alarms: {100 * one.false_alarms:.1f} % of deals of {one.processes} processes"
        yield f"  found beyond the tolerance, by processes a side: {seen}"
    percent = f"{100 * advice.tolerance:.3g}"
    yield (
        f"recommended: a tolerance of {percent} % and {advice.rounds} processes, which find "
        f"changes of {200 * advice.tolerance:.3g} %: --llem-gate={checks[0].metric}:{percent}% "
        f"--llem-repeats={advice.rounds}"
    )
