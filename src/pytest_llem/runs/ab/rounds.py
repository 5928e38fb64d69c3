"""Rounds: each experiment of both sides once a round, side by side and in changing order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, IsolationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.runs.ab.place import Measured, Place


@dataclass(slots=True)
class Pair:
    """One experiment with the processes of both sides so far, those of a round at one place."""

    node_id: str
    a: list[Measured] = field(default_factory=list)
    b: list[Measured] = field(default_factory=list)
    problem: str = ""
    """Why it is not measured any further; empty if it is."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be compared."""

    pairs: list[Pair]
    only: dict[str, list[str]]
    """Experiments that one side alone has, by the side's name."""


def planned(a: Place, b: Place, tests: Sequence[str]) -> Planned:
    """The experiments that both sides have, in the order of *a*.

    Raises:
        ConfigError: a side cannot be collected, or they have none in common.
    """
    ours, theirs = a.experiments(tests), b.experiments(tests)
    both = [node_id for node_id in ours if node_id in set(theirs)]
    if not both:
        raise ConfigError(
            f"there is nothing to compare: side a has {len(ours)} experiments, side b has "
            f"{len(theirs)}, none of them the same."
        )
    only = {"a": sorted(set(ours) - set(both)), "b": sorted(set(theirs) - set(both))}
    return Planned([Pair(node_id) for node_id in both], only)


def measure_round(
    pairs: Sequence[Pair], a: Place, b: Place, number: int, tell: Callable[[str], None]
) -> None:
    """Measure each of *pairs* once more on both sides, one right after the other.

    Which side begins changes from one experiment and from one round to the next (ABBA), so
    that what drifts does not favour either.
    """
    for position, pair in enumerate(pairs):
        if pair.problem:
            continue
        order = [(a, pair.a), (b, pair.b)]
        if (number + position) % 2:
            order.reverse()
        try:
            for place, measured in order:
                measured.append(place.measure(pair.node_id))
                _refuse_failed(measured[-1], place)
                tell(f"round {number + 1}: {pair.node_id} on side {place.side.name}")
        except IsolationError as error:
            pair.problem = str(error)
            tell(f"round {number + 1}: {pair.node_id}: {error}")


def _refuse_failed(measured: Measured, place: Place) -> None:
    result = measured.result
    if result.outcome != "passed":
        raise IsolationError(f"side {place.side.name}: {result.outcome}: {result.message}")
