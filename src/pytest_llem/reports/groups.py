"""The lines of the summary table under the headings they belong to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.reports.headings import heading_of, names_in
from pytest_llem.reports.ink import Line, line
from pytest_llem.reports.labels import shortened
from pytest_llem.reports.rows import entry_of, further_entries
from pytest_llem.reports.text import cut_middle, display_width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.reports.rows import Entry, SummaryRow
    from pytest_llem.reports.text import Glyphs
    from pytest_llem.reports.view import View

_INDENT = "  "


class Group(NamedTuple):
    """Lines of the table that belong together, such as those of one test function."""

    name: str
    entries: list[Entry]

    @property
    def heading(self) -> str:
        """The line above its entries; empty if its experiments have no labels of their own."""
        has_labels = any(entry.label for entry in self.entries if not entry.is_further)
        return self.name if has_labels else ""


def grouped(rows: Sequence[SummaryRow], view: View) -> list[Group]:
    """The rows under their headings, in the order in which each first appears.

    With ``-v``, measurements beyond an experiment's headline follow it.
    """
    wanted = view.arrangement.group_by
    named = None if wanted == ("test",) else names_in(rows)
    if named is not None and wanted == ("none",):
        return [_alone(row, view, named(row)) for row in rows]
    groups: dict[str, list[Entry]] = {}
    for row in rows:
        entries = groups.setdefault(heading_of(row, wanted, view), [])
        entries.append(entry_of(row, view, named and named(row)))
        entries += _further(row, view)
    return [Group(view.clean(name), entries) for name, entries in groups.items()]


def _alone(row: SummaryRow, view: View, name: str) -> Group:
    """An experiment without a heading: *name* is that of a group of its own."""
    entry = entry_of(row, view, name)
    return Group(entry.label, [replace(entry, label=""), *_further(row, view)])


def _further(row: SummaryRow, view: View) -> list[Entry]:
    return further_entries(row, view) if view.verbosity > 0 else []


def natural_width(groups: Sequence[Group]) -> int:
    """Columns that the longest label takes with its indentation."""
    return max(
        len(indent) + display_width(entry.label or group.name)
        for group in groups
        for entry, indent in _indented(group)
    )


def labels_at(groups: Sequence[Group], room: int, signs: Glyphs) -> list[str]:
    """Every line's label with its indentation, in at most *room* columns."""
    without_heading = [
        group.name for group in groups if not group.heading for _ in _headlines(group)
    ]
    names = iter(shortened(without_heading, room, signs.ellipsis))
    return [label for group in groups for label in _labels(group, names, room, signs)]


def _labels(group: Group, names: Iterator[str], room: int, signs: Glyphs) -> Iterator[str]:
    if group.heading:
        labels = [entry.label for entry in _headlines(group)]
        names = iter(shortened(labels, max(room - len(_INDENT), 1), signs.ellipsis))
    for entry, indent in _indented(group):
        label = entry.label if entry.is_further else next(names)
        yield cut_middle(indent + label, room, signs.ellipsis)


def _headlines(group: Group) -> list[Entry]:
    return [entry for entry in group.entries if not entry.is_further]


def _indented(group: Group) -> Iterator[tuple[Entry, str]]:
    """Each line with the space before it."""
    below_heading = bool(group.heading)
    for entry in group.entries:
        yield entry, _INDENT * (below_heading + entry.is_further)


def with_headings(groups: Sequence[Group], lines: Sequence[Line], view: View) -> Iterator[Line]:
    """The table's lines with each group's heading above its own."""
    remaining = iter(lines)
    for group in groups:
        if group.heading:
            yield line(cut_middle(group.heading, view.width, view.signs.ellipsis), "bold")
        yield from (next(remaining) for _ in group.entries)
