"""What experiments stand under in the summary: their test, or what somebody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.view import View


def heading_of(row: SummaryRow, wanted: Sequence[str], view: View) -> str:
    """The heading of *row*, one part for each of *wanted*."""
    return f" {view.signs.dot} ".join(_part(row, name, view) for name in wanted)


def names_in(rows: Sequence[SummaryRow]) -> Callable[[SummaryRow], str]:
    """What tells *rows* apart: labels alone if all are of one test, else with the test before."""
    tests = {row.result.group for row in rows}
    if len(tests) == 1 and all(row.result.label for row in rows):
        return lambda row: row.result.label
    files = {test.partition("::")[0] for test in tests}
    if len(files) > 1:
        return lambda row: row.result.full_name
    return lambda row: row.result.full_name.partition("::")[2] or row.result.full_name


def _part(row: SummaryRow, name: str, view: View) -> str:
    if name == "test":
        return row.result.group
    if name == "file":
        return row.result.group.partition("::")[0]
    if name == "verdict":
        return row.entry.word
    if name == "none":
        return ""
    return f"{name}={_value(row, name, view)}"


def _value(row: SummaryRow, path: str, view: View) -> str:
    found: object = row.result.config
    for part in path.split("."):
        found = getattr(found, part, None)
    return view.signs.unknown if found is None else str(found)
