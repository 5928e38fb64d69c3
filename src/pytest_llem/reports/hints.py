"""The last lines of the summary: what was estimated, what to do next, how it went."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

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
    from pytest_llem.results.schema import Methodology

_IMPROVED = (
    "improved: a baseline that is too easy to beat hides the next regression; "
    "accept the better figures with --llem-update-baselines"
)
_NEW = "new: nothing to compare with; store a baseline with --llem-update-baselines"
IN_ORDER = (*STYLES, NOT_GATED, MEASURED, NOT_MEASURED)
"""All words that sum an experiment up, the worst first."""


class Caveats(NamedTuple):
    """What has to be known before any figure is believed, each a sentence; empty if not so."""

    estimated: str
    replayed: str
    shared: str

    @property
    def texts(self) -> list[str]:
        return [text for text in self if text]


def hint_lines(rows: Sequence[SummaryRow], table: Table, found: Caveats, view: View) -> list[Line]:
    """What the reader should know about the table as a whole, one paragraph each."""
    return [
        line(part, style)
        for text, style in _hints(rows, table, found, view)
        for part in wrapped(view.clean(text), view.width, indent="  ")
    ]


def disturbed_lines(disturbances: Sequence[str], view: View) -> list[Line]:
    """That the machine spoils figures, and who says how to mend it."""
    if not disturbances:
        return []
    said = f"this machine spoils figures: {'; '.join(disturbances)}. To mend it: llem doctor"
    return [line(part, "yellow") for part in wrapped(view.clean(said), view.width, indent="  ")]


def _hints(
    rows: Sequence[SummaryRow], table: Table, found: Caveats, view: View
) -> Iterator[tuple[str, Style]]:
    if VERDICT in table.narrowed and (others := _of_others(rows)):
        yield f"{STAR} verdict and change are of another figure: {', '.join(others)}", ""
    if table.left_out:
        names = ", ".join(table.left_out)
        yield f"left out at {view.width} columns: {names} (a wider terminal shows them)", "dim"
    if view.verbosity < 1:
        further = sum(len(row.result.measurements[1:]) for row in rows)
        figures = sum(len(row.result.recorded) for row in rows)
        if further:
            yield f"{_counted(further, 'further measurement')} shown with -v", "dim"
        if figures:
            yield f"{_counted(figures, 'recorded figure')} shown with -v", "dim"
    yield from ((text, "yellow") for text in never_recorded(rows))
    for said in extremes(rows, view):
        yield said, "dim"
    if view.against == BASELINE:
        yield from _baseline_hints(rows)
    yield from ((text, "yellow") for text in found.texts)


def _of_others(rows: Sequence[SummaryRow]) -> list[str]:
    return list(dict.fromkeys(filter(None, (of_another(row.entry) for row in rows))))


def caveats(rows: Sequence[SummaryRow]) -> Caveats:
    """Whether there are estimates, replays, shared devices."""
    known = [how for row in rows if (how := row.result.measurement_methodology) is not None]
    return Caveats(_estimated_text(rows), _replayed_text(known), _shared_text(known))


def _baseline_hints(rows: Sequence[SummaryRow]) -> Iterator[tuple[str, Style]]:
    verdicts = Counter(
        judgement.verdict for row in rows for judgement in row.judgements if judgement.gated
    )
    if verdicts["improved"]:
        yield _IMPROVED, "cyan"
    if verdicts["new"]:
        yield _NEW, "cyan"


def _estimated_text(rows: Sequence[SummaryRow]) -> str:
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


def _replayed_text(methods: Sequence[Methodology]) -> str:
    """One sentence that says which figures come from a recording; empty if none does."""
    replayed = [how for how in methods if how.meter == REPLAY]
    if not replayed:
        return ""
    names = dict.fromkeys(device.name for how in replayed for device in how.devices)
    return (
        f"REPLAYED, not measured here: the energy of {_counted(len(replayed), 'experiment')}, "
        f"from a recording of {', '.join(names)}. It says nothing about this run's load."
    )


def _shared_text(methods: Sequence[Methodology]) -> str:
    """One sentence that says which figures may hold others' energy; empty if none does."""
    count = sum(how.shared for how in methods)
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


def summary_line(entries: Iterable[Entry], known: Caveats, view: View) -> list[Line]:
    """How many experiments there were and how they came out, the worst first.

    Where little else is shown it also says that devices were shared. One line, or as many
    as a narrow terminal needs.
    """
    words = Counter(entry.word for entry in entries)
    found = [word for word in IN_ORDER if words[word]]
    marks = [f"{ESTIMATED_MARK} energy estimated"] if known.estimated else []
    marks += ["devices SHARED"] if known.shared and view.verbosity < 0 else []
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
