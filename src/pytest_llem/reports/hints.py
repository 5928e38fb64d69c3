"""The last lines of the summary: what was estimated, what to do next, how it went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llem.devices.selection import REPLAY
from pytest_llem.reports.extremes import extremes
from pytest_llem.reports.ink import Line, Span, Style, line
from pytest_llem.reports.judged import STAR, VERDICT, of_another
from pytest_llem.reports.quantities import ESTIMATED_MARK
from pytest_llem.reports.recorded import never_recorded
from pytest_llem.reports.rows import MEASURED, NOT_GATED, NOT_MEASURED, STYLES
from pytest_llem.reports.text import wrapped
from pytest_llem.reports.view import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.reports.rows import Entry, SummaryRow
    from pytest_llem.reports.table import Table
    from pytest_llem.reports.view import View

_IMPROVED = (
    "improved: a baseline that is too easy to beat hides the next regression; "
    "accept the better figures with --llem-update-baselines"
)
_NEW = "new: nothing to compare with; store a baseline with --llem-update-baselines"
IN_ORDER = (*STYLES, NOT_GATED, MEASURED, NOT_MEASURED)
"""All words that sum an experiment up, the worst first."""


def hint_lines(rows: Sequence[SummaryRow], table: Table, view: View) -> list[Line]:
    """What the reader should know about the table as a whole, one paragraph each."""
    return [
        line(part, style)
        for text, style in _hints(rows, table, view)
        for part in wrapped(view.clean(text), view.width, indent="  ")
    ]


def disturbed_lines(disturbances: Sequence[str], view: View) -> list[Line]:
    """That the machine spoils figures, and who says how to mend it."""
    if not disturbances:
        return []
    said = f"this machine spoils figures: {'; '.join(disturbances)}. To mend it: llem doctor"
    return [line(part, "yellow") for part in wrapped(view.clean(said), view.width, indent="  ")]


def _hints(rows: Sequence[SummaryRow], table: Table, view: View) -> Iterator[tuple[str, Style]]:
    if VERDICT in table.narrowed and (others := _of_others(rows)):
        yield f"{STAR} verdict and change are of another figure: {', '.join(others)}", ""
    if table.left_out:
        names = ", ".join(table.left_out)
        yield f"left out at {view.width} columns: {names} (a wider terminal shows them)", "dim"
    further = sum(len(row.result.measurements[1:]) for row in rows)
    if further and view.verbosity < 1:
        yield f"{_counted(further, 'further measurement')} shown with -v", "dim"
    figures = sum(len(row.result.recorded) for row in rows)
    if figures and view.verbosity < 1:
        yield f"{_counted(figures, 'recorded figure')} shown with -v", "dim"
    yield from ((text, "yellow") for text in never_recorded(rows))
    for said in extremes(rows, view):
        yield said, "dim"
    if view.against == BASELINE:
        yield from _baseline_hints(rows)
    yield from ((text, "yellow") for text in caveats(rows))


def _of_others(rows: Sequence[SummaryRow]) -> list[str]:
    return list(dict.fromkeys(filter(None, (of_another(row.entry) for row in rows))))


def caveats(rows: Sequence[SummaryRow]) -> list[str]:
    """What has to be known before any figure is believed: estimates, replays, shared devices."""
    return [
        text for text in (estimated_text(rows), _replayed_text(rows), _shared_text(rows)) if text
    ]


def _baseline_hints(rows: Sequence[SummaryRow]) -> Iterator[tuple[str, Style]]:
    verdicts = Counter(
        judgement.verdict for row in rows for judgement in row.judgements if judgement.gated
    )
    if verdicts["improved"]:
        yield _IMPROVED, "cyan"
    if verdicts["new"]:
        yield _NEW, "cyan"


def estimated_text(rows: Sequence[SummaryRow]) -> str:
    """One sentence that says which figures are estimates, and of what; empty if none is."""
    of_estimates = [
        row for row in rows if any(measured.estimated for measured in row.result.measurements)
    ]
    if not of_estimates:
        return ""
    how = " / ".join(dict.fromkeys(_how(row) for row in of_estimates))
    return (
        f"{ESTIMATED_MARK} ESTIMATED, not measured: the energy of "
        f"{_counted(len(of_estimates), 'experiment')}, by {how}. "
        "Compare it only with estimates made the same way."
    )


def _replayed_text(rows: Sequence[SummaryRow]) -> str:
    """One sentence that says which figures come from a recording; empty if none does."""
    methods = [row.result.measurement_methodology for row in rows]
    replayed = [how for how in methods if how is not None and how.meter == REPLAY]
    if not replayed:
        return ""
    names = dict.fromkeys(device.name for how in replayed for device in how.devices)
    return (
        f"REPLAYED, not measured here: the energy of {_counted(len(replayed), 'experiment')}, "
        f"from a recording of {', '.join(names)}. It says nothing about this run's load."
    )


def count_shared(rows: Sequence[SummaryRow]) -> int:
    """How many experiments were measured on devices that others could use meanwhile."""
    methods = [row.result.measurement_methodology for row in rows]
    return sum(how is not None and how.shared for how in methods)


def _shared_text(rows: Sequence[SummaryRow]) -> str:
    """One sentence that says which figures may hold others' energy; empty if none does."""
    count = count_shared(rows)
    if not count:
        return ""
    return (
        f"SHARED devices (--llem-allow-shared): the energy of {_counted(count, 'experiment')} may "
        "hold what others used meanwhile. It is compared only with energy of shared devices."
    )


def _how(row: SummaryRow) -> str:
    methodology = row.result.measurement_methodology
    if methodology is None:
        return "an unnamed meter"
    text = f"the {methodology.meter} meter, scope {methodology.scope}"
    if methodology.declared_w_per_core is not None:
        text += f", {methodology.declared_w_per_core:g} W per busy core"
    return text


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def summary_line(
    entries: Iterable[Entry], view: View, *, estimated: bool, shared: bool = False
) -> list[Line]:
    """How many experiments there were and how they came out, the worst first.

    Where little else is shown it also says that devices were *shared*. One line, or as many
    as a narrow terminal needs.
    """
    words = Counter(entry.word for entry in entries)
    found = [word for word in IN_ORDER if words[word]]
    marks = [f"{ESTIMATED_MARK} energy estimated"] if estimated else []
    marks += ["devices SHARED"] if shared and view.verbosity < 0 else []
    about = f" ({', '.join(marks)})" if marks else ""
    each = f", {view.processes} processes each" if view.processes > 1 else ""
    spans = [Span(f"{_counted(words.total(), 'experiment')}{each}{about}:", "bold")]
    for word in found:
        comma = "" if word == found[-1] else ","
        spans.append(Span(f"{words[word]} {word}{comma}", STYLES.get(word, "")))
    return _flowed(spans, view.width)


def _flowed(spans: Iterable[Span], width: int) -> list[Line]:
    """Spans with a space between, on as many lines as they need."""
    lines: list[Line] = []
    taken = width
    for span in spans:
        taken += 1 + len(span.text)
        if lines and taken <= width:
            lines[-1] += (Span(" "), span)
        else:
            lines.append((span,))
            taken = len(span.text)
    return lines
