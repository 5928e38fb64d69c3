"""What came of a comparison of two sides, for people and as JSON."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.baselines.pooling import pooled_result
from pytest_llem.reports.ab import headline, only_lines, spending
from pytest_llem.reports.markdown.place import place_of
from pytest_llem.reports.markdown.summary import compared_text
from pytest_llem.reports.markdown.told import told_rows
from pytest_llem.reports.terminal import SummaryRow, summary_lines
from pytest_llem.results.files import explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.runs.ab.comparing import Compared
    from pytest_llem.runs.ab.side import Side
    from pytest_llem.runs.showing import Look


def compared_lines(compared: Compared, sides: Sequence[Side], look: Look) -> Iterator[str]:
    """The report of a comparison of *sides*."""
    yield from _top(compared, sides)
    yield ""
    yield from summary_lines(
        _rows(compared),
        width=look.width,
        colour=look.colour,
        unicode=look.unicode,
        verbosity=look.verbosity,
        strict=compared.strict,
        against="a",
    )
    yield from _bottom(compared)


def write_compared(compared: Compared, sides: Sequence[Side], path: Path) -> None:
    """Write the report of a comparison as a page of Markdown, which GitHub takes as a summary.

    Raises:
        StoreError: it cannot be written.
    """
    told = told_rows(
        _rows(compared), place_of(os.environ), Path.cwd(), strict=compared.strict, against="a"
    )
    text = compared_text(told, list(_top(compared, sides)), list(_bottom(compared)))
    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _rows(compared: Compared) -> list[SummaryRow]:
    return [
        SummaryRow(pooled_result(one.results), one.judgements, one.results, len(one.results))
        for one in compared.verdicts
        if one.results and not one.problem
    ]


def _top(compared: Compared, sides: Sequence[Side]) -> Iterator[str]:
    named = {side.name: side.described for side in sides}
    rounds = [len(one.results) for one in compared.verdicts if not one.problem]
    return headline(named, compared.environments, rounds)


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
