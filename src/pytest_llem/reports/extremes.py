"""What took longest and what is least certain, in a line each."""

from __future__ import annotations

from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING

from pytest_llem.reports.headings import names_in
from pytest_llem.reports.progress import elapsed
from pytest_llem.reports.quantities import number
from pytest_llem.reports.sorting import relative_uncertainty, wall_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.view import View

FEWEST = 4
"""So many experiments are seen at a glance."""
_NAMED = 3
_UNEVEN = 1.5
"""How many times the median something is before it is worth a word."""


def extremes(rows: Sequence[SummaryRow], view: View) -> Iterator[str]:
    """Where a run's time went, and where more windows or repeats would tell more."""
    if len(rows) < FEWEST:
        return
    named = names_in(rows)
    times = [(taken, row) for row in rows if (taken := wall_s(row)) is not None]
    if slow := _standing_out(times):
        total = elapsed(round(sum(taken for taken, _ in times)))
        said = ", ".join(f"{named(row)} {elapsed(round(taken))}" for taken, row in slow)
        yield f"slowest: {said} (of {total} in all)"
    spreads = [(found, row) for row in rows if (found := relative_uncertainty(row))]
    if wide := _standing_out(spreads):
        signs = view.signs
        said = ", ".join(
            f"{named(row)} {signs.plus_minus} {number(100 * share, signs=signs).text(signs)} %"
            for share, row in wide
        )
        yield f"least certain: {said}"


def _standing_out(found: Sequence[tuple[float, SummaryRow]]) -> list[tuple[float, SummaryRow]]:
    """The largest few of those that are well above the median; none where all are alike."""
    if len(found) < FEWEST:
        return []
    median = sorted(value for value, _ in found)[(len(found) - 1) // 2]
    largest = nlargest(_NAMED, found, key=itemgetter(0))
    return [pair for pair in largest if pair[0] > _UNEVEN * median]
