"""What the processes of both sides say of the change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llem.baselines.comparison import compare
from pytest_llem.baselines.file import Entry
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.sessions import refusal, session_of
from pytest_llem.config.identity import identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.rules import Rule
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.ab.place import Measured


def comparisons_of(
    a: Sequence[Measured], b: Sequence[Measured], rules: Sequence[Rule]
) -> list[Comparison]:
    """Side *b* of one experiment against side *a*, measured in turns in one session.

    What varies between sessions is the same for both, and cancels.
    """
    before = _numbered(a)
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
    found = compare(_numbered(b), entry, rules, environments[1])
    refused = () if reason is None else (f"on side a {reason}",)
    return [replace(one, same_session=True, refuse=(*one.refuse, *refused)) for one in found]


def judged(
    families: Sequence[Sequence[Comparison]],
) -> list[list[Judgement]]:
    """The verdicts on the comparisons of each experiment, all of them as one family.

    Raises:
        IsolationError: the process that judges failed.
    """
    flat = [comparison for family in families for comparison in family]
    found = iter(judge_in_helper(flat))
    return [[next(found) for _ in family] for family in families]


def _numbered(side: Sequence[Measured]) -> list[ExperimentResult]:
    """The results of one side as the processes of one experiment."""
    return [
        one.result.model_copy(update={"repeat": number, "run_id": side[0].result.run_id})
        for number, one in enumerate(side)
    ]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One experiment with what is said of it."""

    node_id: str
    results: tuple[ExperimentResult, ...]
    """Of side *b*, in the order of the rounds."""
    judgements: tuple[Judgement, ...]
    problem: str = ""
    """Why nothing can be said; empty if something is."""
