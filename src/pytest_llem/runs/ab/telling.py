"""What came of a comparison of two sides, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.pooling import pooled_result
from pytest_llem.reports.ab import headline, only_lines, spending
from pytest_llem.reports.terminal import SummaryRow, summary_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.runs.ab.comparing import Compared
    from pytest_llem.runs.ab.side import Side
    from pytest_llem.runs.showing import Look


def compared_lines(compared: Compared, sides: Sequence[Side], look: Look) -> Iterator[str]:
    """The report of a comparison of *sides*."""
    rows = [
        SummaryRow(pooled_result(one.results), one.judgements, one.results, len(one.results))
        for one in compared.verdicts
        if one.results and not one.problem
    ]
    named = {side.name: side.described for side in sides}
    rounds = [len(one.results) for one in compared.verdicts if not one.problem]
    yield from headline(named, compared.environments, rounds)
    yield ""
    yield from summary_lines(
        rows,
        width=look.width,
        colour=look.colour,
        unicode=look.unicode,
        verbosity=look.verbosity,
        strict=compared.strict,
        against="a",
    )
    yield from _bottom(compared)


def _bottom(compared: Compared) -> Iterator[str]:
    for one in compared.verdicts:
        if one.problem:
            yield f"NOT COMPARED: {one.node_id}: {one.problem.splitlines()[0]}"
    yield from only_lines(compared.only)
    yield from compared.notes
    if compared.interrupted:
        yield "INTERRUPTED: judged by the rounds that were complete by then"
    elif len(compared.looks.processes) > 1:
        yield spending(compared.spent, compared.most, compared.looks.most)
    yield f"results: {compared.folder}"


def compared_json(compared: Compared) -> dict[str, Any]:
    """The same in JSON's types, as ``llem ab --json`` has it."""
    return {
        "folder": str(compared.folder),
        "looks": compared.looks.processes,
        "processes": compared.spent,
        "processes_at_most": compared.most,
        "strict": compared.strict,
        "interrupted": compared.interrupted,
        "only": compared.only,
        "notes": compared.notes,
        "experiments": [
            {
                "node_id": one.node_id,
                "rounds": len(one.results),
                "problem": one.problem or None,
                "judgements": [asdict(judgement) for judgement in one.judgements],
            }
            for one in compared.verdicts
        ],
    }
