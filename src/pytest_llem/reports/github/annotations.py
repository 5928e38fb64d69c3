"""Annotations: what went wrong, beside the line of the test in the changes that are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_llem.reports import notes
from pytest_llem.reports.rows import fails, name_of
from pytest_llem.reports.text import clean, cut_middle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.reports.markdown.told import ToldRun
    from pytest_llem.reports.rows import SummaryRow

Kind = Literal["error", "warning"]
MOST = 10
"""Annotations of one kind that GitHub shows of a step (documentation of the runner, "Problem
matchers", "Limitations")."""
LONGEST = 2000
_LONGEST_TITLE = 200
_UNTOLD = ("inconclusive", "incomparable")


class Annotation(NamedTuple):
    """One remark, for a person who looks at a line of code."""

    kind: Kind
    title: str
    message: str
    file: str | None
    """From the root of the repository; ``None`` is nowhere in particular."""
    line: int | None


def annotation_lines(told: ToldRun) -> list[str]:
    """Workflow commands for what fails the run, and for what could not be told, the worst first.

    At most as many of each kind as GitHub shows; the last one then says how many more there are.
    """
    found = list(_annotations(told))
    kinds: tuple[Kind, ...] = ("error", "warning")
    return [
        command(one)
        for kind in kinds
        for one in _limited(kind, [one for one in found if one.kind == kind])
    ]


def command(annotation: Annotation) -> str:
    """The workflow command, on one line, escaped as GitHub's toolkit does it (``command.ts``)."""
    named: Mapping[str, str | int | None] = {
        "file": annotation.file,
        "line": annotation.line,
        "title": annotation.title,
    }
    said = ",".join(f"{name}={_property(str(value))}" for name, value in named.items() if value)
    return f"::{annotation.kind} {said}::{_data(annotation.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _annotations(told: ToldRun) -> Iterator[Annotation]:
    for row in told.rows:
        if fails(row, strict=told.view.strict):
            said = [(note.word, note.text) for note in notes.failures([row], told.view)]
            yield _annotation("error", row, said, told)
            continue
        untold = [
            (judgement.verdict, notes.explained(row, judgement))
            for judgement in row.judgements
            if judgement.gated and judgement.verdict in _UNTOLD
        ]
        if untold:
            yield _annotation("warning", row, untold, told)


def _annotation(
    kind: Kind, row: SummaryRow, said: Sequence[tuple[str, str]], told: ToldRun
) -> Annotation:
    words = ", ".join(dict.fromkeys(word for word, _ in said))
    message = "\n".join(clean(text, unicode=True) for _, text in said)
    written = told.written(row)
    return Annotation(
        kind,
        cut_middle(f"{words}: {clean(name_of(row), unicode=True)}", _LONGEST_TITLE, "…"),
        cut_middle(message, LONGEST, "…"),
        None if written is None else written.path,
        None if written is None else written.line,
    )


def _limited(kind: Kind, found: list[Annotation]) -> list[Annotation]:
    if len(found) <= MOST:
        return found
    left_out = len(found) - MOST + 1
    text = f"{left_out} more are in the summary of this job and in the run's results"
    return [*found[: MOST - 1], Annotation(kind, f"and {left_out} more", text, None, None)]
