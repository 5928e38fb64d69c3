"""What is said below the table: why, what spoils a figure, what to do next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.baselines.estimates import is_estimate
from pytest_llem.baselines.verdict import WORST_FIRST
from pytest_llem.reports.ink import Line, Span, Style
from pytest_llem.reports.quantities import ESTIMATED_MARK
from pytest_llem.reports.rows import NOT_GATED, STYLES, fails, name_of
from pytest_llem.reports.text import cut_end, pad, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.reports.rows import SummaryRow
    from pytest_llem.reports.view import View

MOST_NOTES = 10
"""Notes of one kind that do not fail the run; ``-v`` shows all."""
MOST_EXPLAINED = 3
"""The same of explanations of verdicts, which take several lines each."""
MOST_NAMES = 3
_WORD_WIDTH = 14
_QUIET = ("new", "improved", "pass", NOT_GATED)
"""Verdicts whose explanations are shown with ``-v`` only."""
_NUMBERS = re.compile(r"\d+(?:\.\d+)?")


class Note(NamedTuple):
    """Something said about one or more experiments."""

    word: str
    text: str
    names: tuple[str, ...]


def note_lines(notes: Iterable[Note], view: View) -> list[Line]:
    """Every note as a paragraph: its word, the experiments, the text."""
    return [line for note in notes for line in _paragraph(note, view)]


def _paragraph(note: Note, view: View) -> Iterator[Line]:
    word = pad(f"{note.word} ", _WORD_WIDTH)
    about = _about(note, view.signs.ellipsis)
    text = view.clean(f"{about}: {note.text}" if about else note.text)
    body = wrapped(text, view.width, first=word, indent=" " * 4)
    style: Style = STYLES.get(note.word, "yellow" if note.word == "warning" else "bold")
    length = len(note.word)
    for index, line in enumerate(body):
        if index == 0:
            yield (Span(line[:length], style), Span(line[length:]))
        else:
            yield (Span(line),)


def _about(note: Note, ellipsis: str) -> str:
    if len(note.names) <= 1:
        return "".join(note.names)
    shown = [cut_end(name, 60, ellipsis) for name in note.names[:MOST_NAMES]]
    rest = [ellipsis] if len(note.names) > len(shown) else []
    return f"{len(note.names)} experiments ({', '.join([*shown, *rest])})"


def failures(rows: Sequence[SummaryRow], view: View) -> Iterator[Note]:
    """Why experiments fail the run: what broke, and gates that were not passed."""
    for row in rows:
        if not fails(row, strict=view.strict):
            continue
        result = row.result
        name = name_of(row)
        if result.outcome != "passed":
            message = _first_line(result.message) or "no reason was recorded"
            yield Note(result.outcome.replace("_", " "), message, (name,))
        for judgement in row.judgements:
            if judgement.failed(strict=view.strict):
                yield Note(judgement.verdict, explained(row, judgement), (name,))


def _first_line(message: str | None) -> str:
    lines = [line.strip() for line in (message or "").splitlines() if line.strip()]
    return lines[0] + (" ..." if len(lines) > 1 else "") if lines else ""


def explained(row: SummaryRow, judgement: Judgement) -> str:
    """What was judged and the judgement's own explanation, marked if it is of an estimate."""
    headline = row.result.headline
    of = judgement.metric
    if headline is not None and judgement.measurement != headline.name:
        of = f"{judgement.measurement}: {of}"
    if _is_estimated(row, judgement):
        of = f"{of} ({ESTIMATED_MARK} estimated)"
    return f"{of}: {judgement.explanation.removeprefix(judgement.metric).lstrip(' :')}"


def _is_estimated(row: SummaryRow, judgement: Judgement) -> bool:
    return any(
        is_estimate(measured, judgement.metric)
        for measured in row.result.measurements
        if measured.name == judgement.measurement
    )


def verdicts(rows: Sequence[SummaryRow], view: View) -> Iterator[Note]:
    """Explanations of the verdicts that do not fail the run, worst first, equal ones once.

    That what broke was compared with nothing goes without saying, but with ``-v``.
    """
    quiet = () if view.verbosity > 0 else _QUIET
    judged = [row for row in rows if view.verbosity > 0 or row.result.outcome == "passed"]
    told: dict[str, list[tuple[str, str]]] = {
        word: [] for word in (*WORST_FIRST, NOT_GATED) if word not in quiet
    }
    for row in judged:
        for judgement in row.judgements:
            of_word = told.get(_word(judgement))
            if of_word is not None and not judgement.failed(strict=view.strict):
                of_word.append((name_of(row), explained(row, judgement)))
    for word, same in told.items():
        yield from _limited(_merged(word, same, exactly=True), view, MOST_EXPLAINED)


def _word(judgement: Judgement) -> str:
    return judgement.verdict if judgement.gated else NOT_GATED


def invalid(rows: Sequence[SummaryRow], view: View) -> Iterator[Note]:
    """Measurements whose figures do not count, with the reasons."""
    told = [
        (_name_within(row, measured), _reasons(measured))
        for row in rows
        for measured in row.result.measurements
        if not measured.valid
    ]
    yield from _limited(_merged("invalid", told), view)


def _reasons(measured: Measured) -> str:
    of_windows = [
        warning for window in measured.windows if not window.valid for warning in window.warnings
    ]
    reasons = dict.fromkeys([*measured.warnings, *of_windows])
    return "; ".join(reasons) or "no reason was recorded"


def warnings(rows: Sequence[SummaryRow], view: View) -> Iterator[Note]:
    """Warnings of valid measurements; those that differ in numbers only are counted as one."""
    told = [
        (_name_within(row, measured), warning)
        for row in rows
        for measured in row.result.measurements
        if measured.valid
        for warning in dict.fromkeys(measured.warnings)
    ]
    yield from _limited(_merged("warning", told), view)


def _name_within(row: SummaryRow, measured: Measured) -> str:
    name = name_of(row)
    return name if measured is row.result.headline else f"{name} ({measured.name})"


def _merged(word: str, told: Iterable[tuple[str, str]], *, exactly: bool = False) -> list[Note]:
    """One note for all experiments of which the same is told, else the same but for numbers."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, text in told:
        key = text if exactly else _NUMBERS.sub("0", text)
        alike.setdefault(key, []).append((name, text))
    return [_one(word, same) for same in alike.values()]


def _one(word: str, same: Sequence[tuple[str, str]]) -> Note:
    text = same[0][1]
    differs = any(other != text for _, other in same)
    names = tuple(dict.fromkeys(name for name, _ in same))
    return Note(word, f"{text} (the first's numbers)" if differs else text, names)


def _limited(notes: list[Note], view: View, most: int = MOST_NOTES) -> Iterator[Note]:
    most = len(notes) if view.verbosity > 0 else most
    yield from notes[:most]
    if len(notes) > most:
        yield Note(notes[0].word, f"and {len(notes) - most} more of these (-v shows all)", ())
