"""Which experiments somebody has to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.reports.rows import fails

if TYPE_CHECKING:
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.view import View

GOOD = ("improved", "pass", "not gated", "measured", "not measured", "skipped")
"""Words of experiments that nobody has to look at."""


def is_good(row: SummaryRow, view: View) -> bool:
    """Whether an experiment is one of those that nobody has to look at."""
    return row.entry.word in GOOD and not fails(row, strict=view.strict)
