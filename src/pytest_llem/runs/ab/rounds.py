"""Rounds: each experiment of both sides once a round, side by side and in changing order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llem.errors import ConfigError, IsolationError, LlemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.runs.ab.place import Collected, Measured, Place


class Teller(Protocol):
    """Tells a person how far it is."""

    def say(self, text: str) -> None:
        """A line of its own."""
        ...

    def ended(self, name: str) -> None:
        """The process called *name* has ended well."""
        ...

    def watch(self, name: str) -> Callable[[Mapping[str, Any]], None] | None:
        """What is told how the process called *name* gets on; ``None`` if nobody looks."""
        ...


@dataclass(slots=True)
class Pair:
    """One experiment with the processes of both sides so far, those of a round at one place."""

    node_id: str
    gates: tuple[str, ...] = ()
    """Its rules, as ``METRIC:TOLERANCE``; empty if nothing gates it."""
    a: list[Measured] = field(default_factory=list)
    b: list[Measured] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    decided: bool = False
    """Whether its judgements stay as they are."""
    problem: str = ""
    """Why it is not measured any further; empty if it is."""

    @property
    def rounds(self) -> int:
        """How many processes both sides have."""
        return min(len(self.a), len(self.b))

    @property
    def is_measured(self) -> bool:
        """Whether there is something to judge."""
        return not self.problem and self.rounds > 0


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be compared."""

    pairs: list[Pair]
    only: dict[str, list[str]]
    """Experiments that one side alone has, by the side's name."""
    sides: tuple[Collected, Collected]
    notes: tuple[str, ...]
    """What a reader has to know of it."""


def planned(a: Place, b: Place, tests: Sequence[str]) -> Planned:
    """The experiments that both sides have, in the order of *a*, with the gates of *b*.

    Raises:
        ConfigError: a side cannot be collected, or they have none in common.
    """
    for place in (a, b):
        place.start(tests)
    ours, theirs = sides = a.collected(), b.collected()
    both = [node_id for node_id in ours.experiments if node_id in theirs.experiments]
    if not both:
        raise ConfigError(
            f"there is nothing to compare: side a has {_counted(ours)}, side b has "
            f"{_counted(theirs)}{', none of them the same' if ours.experiments and theirs.experiments else ''}. "
            "An experiment is a test that asks for the energy fixture."
        )
    alone = (set(one.experiments) - set(both) for one in sides)
    only = dict(zip("ab", map(sorted, alone), strict=True))
    pairs = [Pair(node_id, tuple(theirs.experiments[node_id])) for node_id in both]
    return Planned(pairs, only, sides, tuple(_notes(pairs, ours)))


def _counted(side: Collected) -> str:
    count = len(side.experiments)
    return f"{count or 'no'} experiment{'' if count == 1 else 's'}"


def _notes(pairs: Sequence[Pair], ours: Collected) -> list[str]:
    differing = [one.node_id for one in pairs if tuple(ours.experiments[one.node_id]) != one.gates]
    if not differing:
        return []
    count = f"{differing[0]}" if len(differing) == 1 else f"{len(differing)} experiments"
    return [f"gates of {count} are declared otherwise on side a; those of side b hold"]


@dataclass(frozen=True, slots=True)
class Round:
    """One of the rounds."""

    number: int
    """From 0."""
    named: str
    """For a person, such as ``round 2 of at most 20``."""


def measure_round(pairs: Sequence[Pair], a: Place, b: Place, now: Round, teller: Teller) -> None:
    """Measure each of *pairs* once more on both sides, one right after the other.

    Which side begins changes from one experiment and from one round to the next (ABBA), so
    that what drifts does not favour either.
    """
    for position, pair in enumerate(pairs):
        if pair.problem:
            continue
        order = [(a, pair.a), (b, pair.b)]
        if (now.number + position) % 2:
            order.reverse()
        try:
            for place, measured in order:
                name = f"{now.named}: {pair.node_id} on side {place.side.name}"
                one = place.measure(pair.node_id, now.number, teller.watch(name))
                _refuse_failed(one, place)
                measured.append(one)
                teller.ended(name)
        except LlemError as error:
            pair.problem = str(error)
            teller.say(f"{now.named}: {pair.node_id}: {error}")


def _refuse_failed(measured: Measured, place: Place) -> None:
    result = measured.result
    if result.outcome != "passed":
        said = "" if result.message is None else f": {result.message}"
        raise IsolationError(f"side {place.side.name}: {result.outcome}{said}")
