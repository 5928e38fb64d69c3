"""Measuring two sides in turns, from their collection to the verdicts."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.baselines.looks import FIRST_LOOK, plan_looks
from pytest_llem.baselines.matching import policy
from pytest_llem.baselines.rulebook import Rulebook
from pytest_llem.errors import ConfigError
from pytest_llem.isolation.interpreter import ask_interpreter
from pytest_llem.results.names import new_run_id, utc_now
from pytest_llem.runs.ab.checkout import checked_out
from pytest_llem.runs.ab.place import Place
from pytest_llem.runs.ab.rounds import Round, measure_round, planned
from pytest_llem.runs.ab.verdicts import look, numbered

if TYPE_CHECKING:
    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.looks import Looks
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.ab.rounds import Pair, Planned, Teller
    from pytest_llem.runs.ab.side import Side

UNGATED_ROUNDS = 5
"""Rounds where nothing is to be decided and nobody says how many."""
MOST_ROUNDS = 20
"""The most rounds that deciding may take where nobody says how many."""


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
    """As ``--llem-gate`` takes them: beside those that markers and the project declare."""
    rounds: int | None = None
    """Processes of each experiment on each side, at first; ``None`` has as few as suffice."""
    max_repeats: int | None = None
    """Processes that each may have until its gate is decided; ``None`` is :data:`MOST_ROUNDS`, or
    no more than *rounds* if those are given."""
    strict: bool = False
    """Whether verdicts that tell nothing fail."""

    def looks(self, *, gated: bool) -> Looks:
        """After how many rounds it is judged.

        Raises:
            ConfigError: there is nothing to decide by more rounds, or no number of them does.
        """
        most = self.max_repeats
        if most is not None and not gated:
            raise ConfigError(
                f"--max-repeats={most} adds processes until a gate is decided. Add a --gate."
            )
        if most is not None and most < (self.rounds or 1):
            raise ConfigError(f"--max-repeats={most} is less than --rounds={self.rounds}.")
        if most is None:
            most = self.rounds or (MOST_ROUNDS if gated else UNGATED_ROUNDS)
        first = self.rounds or (FIRST_LOOK if gated else UNGATED_ROUNDS)
        return plan_looks(min(first, most), most)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One experiment with what is said of it."""

    node_id: str
    results: tuple[ExperimentResult, ...]
    """Of side *b*, in the order of the rounds."""
    judgements: tuple[Judgement, ...]
    comparisons: tuple[Comparison, ...]
    """What they rest on."""
    problem: str = ""
    """Why nothing can be said; empty if something is."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it."""

    verdicts: tuple[Verdicts, ...]
    only: dict[str, list[str]]
    """Experiments that one side alone has, by the side's name."""
    notes: tuple[str, ...]
    """What a reader has to know."""
    environments: dict[str, Environment]
    """Where each side was measured, by its name; only of those that were."""
    folder: Path
    """Where the runs of both sides are kept."""
    spent: int
    """Processes of both sides that have ended well."""
    most: int
    """What they could have been, had every experiment had all rounds."""
    looks: Looks
    strict: bool
    """Whether verdicts that tell nothing fail, by option or configuration."""
    interrupted: bool
    """Whether somebody stopped it before its end."""

    @property
    def failed(self) -> bool:
        """Whether anything got worse, or could not be measured."""
        return any(
            one.problem or any(judgement.failed(strict=self.strict) for judgement in one.judgements)
            for one in self.verdicts
        )


def compare_sides(asked: Asked, teller: Teller) -> Compared:
    """Measure both sides round by round, and judge side *b* against side *a*.

    Ctrl-C ends it early: what was measured by then is judged as far as that goes.

    Raises:
        ConfigError: what is asked for cannot be had.
        IsolationError: an interpreter cannot run it, or the verdicts could not be made.
    """
    Rulebook((), asked.gates)
    if not asked.gates and asked.max_repeats is None and asked.rounds is not None:
        asked.looks(gated=False)
    for side in (asked.a, asked.b):
        if not side.is_this_interpreter:
            ask_interpreter(f"side {side.name}", side.python, Path.cwd())
    folder = Path.cwd() / ".llem" / "ab" / new_run_id(utc_now())
    options = (*asked.options, *(f"--llem-gate={gate}" for gate in asked.gates))
    with ExitStack() as stack:
        a, b = (
            Place(
                side,
                stack.enter_context(checked_out(side.ref, Path.cwd())),
                folder / side.name,
                options,
            )
            for side in (asked.a, asked.b)
        )
        stack.callback(b.close)
        stack.callback(a.close)
        try:
            plan = planned(a, b, asked.tests)
        except BaseException:
            a.stop()
            b.stop()
            raise
        looks = asked.looks(gated=any(pair.gates for pair in plan.pairs))
        interrupted = _measure(plan, (a, b), looks, teller)
    return _compared(asked, plan, looks, folder, interrupted=interrupted)


def _measure(plan: Planned, places: tuple[Place, Place], looks: Looks, teller: Teller) -> bool:
    """Measure and judge, look by look; whether that was interrupted."""
    match = policy(plan.sides[1].match)
    try:
        for before, until in pairwise((0, *looks.processes)):
            going_on = [pair for pair in plan.pairs if not (pair.decided or pair.problem)]
            for number in range(before, until):
                measure_round(going_on, *places, Round(number, _named(number, looks)), teller)
            look(plan.pairs, looks, match)
            left = sum(not (pair.decided or pair.problem) for pair in plan.pairs)
            if not left:
                return False
            if until < looks.most:
                teller.say(f"after {until} rounds: {left} of {len(plan.pairs)} undecided, go on")
    except KeyboardInterrupt:
        for place in places:
            place.stop()
        look(plan.pairs, looks, match)
        return True
    return False


def _named(number: int, looks: Looks) -> str:
    at_most = "at most " if len(looks.processes) > 1 else ""
    return f"round {number + 1} of {at_most}{looks.most}"


def _compared(
    asked: Asked, plan: Planned, looks: Looks, folder: Path, *, interrupted: bool
) -> Compared:
    measured = {
        name: found
        for name, sides in (("a", [p.a for p in plan.pairs]), ("b", [p.b for p in plan.pairs]))
        if (found := [one for side in sides for one in side])
    }
    return Compared(
        verdicts=tuple(map(_verdicts, plan.pairs)),
        only=plan.only,
        notes=plan.notes,
        environments={name: found[0].environment for name, found in measured.items()},
        folder=folder,
        spent=sum(map(len, measured.values())),
        most=2 * looks.most * len(plan.pairs),
        looks=looks,
        strict=asked.strict or plan.sides[1].strict,
        interrupted=interrupted,
    )


def _verdicts(pair: Pair) -> Verdicts:
    results = numbered(pair.b[: pair.rounds])
    return Verdicts(
        pair.node_id,
        tuple(results),
        tuple(pair.judgements) if not pair.problem else (),
        tuple(pair.comparisons) if not pair.problem else (),
        pair.problem,
    )
