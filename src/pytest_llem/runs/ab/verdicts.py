"""What the processes of both sides say of the change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.comparing import compare
from pytest_llem.baselines.file import Entry
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.baselines.sessions import refusal, session_of
from pytest_llem.config.identity import identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.looks import Looks
    from pytest_llem.baselines.matching import Policy
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.ab.place import Measured
    from pytest_llem.runs.ab.rounds import Pair

SIDES = (("the baseline", "side a"), ("this run", "side b"))
"""What baselines' texts call the two sides, and what they are here."""


def comparisons_of(pair: Pair, policy: Policy) -> list[Comparison]:
    """Side *b* of one experiment against side *a*, measured in turns in one session.

    What varies between sessions is the same for both, and cancels. Rounds that only one
    side has do not count.
    """
    a, b = pair.a[: pair.rounds], pair.b[: pair.rounds]
    before = numbered(a)
    environments = [one[0].environment.model_dump(mode="json") for one in (a, b)]
    reason = refusal(before, environments[0])
    entry = None
    if reason is None:
        session = session_of(before, environments[0])
        first = before[0]
        entry = Entry(
            label=first.label,
            config=identity_of(first.config),
            own_arguments=first.own_arguments,
            sessions=(session,),
        )
    rules = parse_rules(pair.gates)
    found = compare(numbered(b), entry, rules, environments[1], policy=policy)
    refused = () if reason is None else (f"on side a {reason}",)
    return [replace(one, same_session=True, refuse=(*one.refuse, *refused)) for one in found]


def look(pairs: Sequence[Pair], looks: Looks, policy: Policy) -> None:
    """Judge all *pairs* as one family by what they have; what is decided stays so.

    Raises:
        IsolationError: the process that judges failed.
    """
    members = [pair for pair in pairs if pair.is_measured]
    for pair in members:
        if not pair.decided:
            pair.comparisons = comparisons_of(pair, policy)
    flat = [comparison for pair in members for comparison in pair.comparisons]
    several = looks if len(looks.processes) > 1 else None
    found = iter(judge_in_helper(flat, looks=several))
    for pair in members:
        judgements = [_of_sides(next(found)) for _ in pair.comparisons]
        if not pair.decided:
            pair.judgements = judgements
            pair.decided = not any(one.undecided for one in judgements)


def numbered(side: Sequence[Measured]) -> list[ExperimentResult]:
    """The results of one side as the processes of one experiment of one run."""
    return [
        one.result.model_copy(update={"repeat": number, "run_id": side[0].result.run_id})
        for number, one in enumerate(side)
    ]


def _of_sides(judgement: Judgement) -> Judgement:
    explanation = judgement.explanation
    for stored, side in SIDES:
        explanation = explanation.replace(stored, side)
    return replace(judgement, explanation=explanation)
