"""Measuring two sides in turns, from their collection to the verdicts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.rules import parse_rules
from pytest_llem.errors import ConfigError
from pytest_llem.results.names import new_run_id, utc_now
from pytest_llem.runs.ab.checkout import checked_out
from pytest_llem.runs.ab.place import Place
from pytest_llem.runs.ab.rounds import measure_round, planned
from pytest_llem.runs.ab.verdicts import Verdicts, comparisons_of, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.runs.ab.rounds import Pair
    from pytest_llem.runs.ab.side import Side


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared, and how."""

    a: Side
    b: Side
    tests: tuple[str, ...] = ()
    """As pytest's command line names them; empty is all."""
    options: tuple[str, ...] = ()
    """Further options of pytest, for both sides."""
    gates: tuple[str, ...] = ()
    """As ``--llem-gate`` takes them; empty compares the headline, and nothing fails."""
    rounds: int = 5
    """Processes of each experiment on each side."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it."""

    verdicts: tuple[Verdicts, ...]
    comparisons: tuple[tuple[str, Comparison], ...]
    """What the verdicts rest on, each with its node id."""
    only: dict[str, list[str]]
    """Experiments that one side alone has, by the side's name."""
    folder: Path
    """Where the runs of both sides are kept."""
    rounds: int

    def failed(self, *, strict: bool) -> bool:
        """Whether anything got worse, or could not be measured."""
        return any(
            verdict.problem or any(one.failed(strict=strict) for one in verdict.judgements)
            for verdict in self.verdicts
        )


def compare_sides(asked: Asked, tell: Callable[[str], None]) -> Compared:
    """Measure both sides round by round, and judge side *b* against side *a*.

    *tell* gets a line for each process that has ended.

    Raises:
        ConfigError: what is asked for cannot be had.
        IsolationError: the verdicts could not be made.
    """
    if asked.rounds < 1:
        raise ConfigError(f"{asked.rounds} rounds: at least 1 is needed.")
    rules = parse_rules(asked.gates)
    folder = Path.cwd() / ".llem" / "ab" / new_run_id(utc_now())
    with ExitStack() as stack:
        a, b = (
            Place(
                side,
                stack.enter_context(checked_out(side.ref, Path.cwd())),
                folder / side.name,
                asked.options,
            )
            for side in (asked.a, asked.b)
        )
        plan = planned(a, b, asked.tests)
        for number in range(asked.rounds):
            measure_round(plan.pairs, a, b, number, tell)
    families = [comparisons_of(p.a, p.b, rules) if _measured(p) else [] for p in plan.pairs]
    verdicts = tuple(map(_verdicts, plan.pairs, judged(families)))
    comparisons = tuple(
        (pair.node_id, one)
        for pair, family in zip(plan.pairs, families, strict=True)
        for one in family
    )
    return Compared(verdicts, comparisons, plan.only, folder, asked.rounds)


def _measured(pair: Pair) -> bool:
    return not pair.problem and bool(pair.a) and bool(pair.b)


def _verdicts(pair: Pair, judgements: Sequence[Judgement]) -> Verdicts:
    results = tuple(
        one.result.model_copy(update={"repeat": number}) for number, one in enumerate(pair.b)
    )
    return Verdicts(pair.node_id, results, tuple(judgements), pair.problem)
