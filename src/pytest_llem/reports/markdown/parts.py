"""The parts of a page about a run, each a block."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_llem.reports import notes
from pytest_llem.reports.hints import IN_ORDER, caveats
from pytest_llem.reports.markdown.good import is_good
from pytest_llem.reports.markdown.pages import Block
from pytest_llem.reports.markdown.table import linked, table_head, table_lines
from pytest_llem.reports.markdown.words import code, fenced, prose
from pytest_llem.reports.rows import fails
from pytest_llem.reports.text import cut_middle
from pytest_llem.results.names import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llem.reports.markdown.told import ToldRun
    from pytest_llem.reports.notes import Note
    from pytest_llem.results.environment import Environment

LONGEST_COMMAND = 4000
_MANY = 20
"""Experiments of which all are shown at once."""
_LEFT_OUT = "*{} of {all} %s left out for the size of this page%s.*"


def title(told: ToldRun, level: int) -> Block:
    """What came of the run, in a heading and a line."""
    words = Counter(row.entry.word for row in told.rows)
    came = ", ".join(f"{words[word]} {prose(word)}" for word in IN_ORDER if words[word])
    count = f"{len(told.rows)} experiment{'' if len(told.rows) == 1 else 's'}"
    mark = " (energy **estimated**)" if caveats(told.rows).estimated else ""
    lines = [f"{'#' * level} {_headline(told, words)}", "", f"{count}{mark}: {came}"]
    if told.run is not None and told.run.manifest.state == "interrupted":
        planned = len(told.run.manifest.planned)
        lines += ["", f"**The run did not come to its end**; it had planned {planned}."]
    return Block("\n".join(lines))


def _headline(told: ToldRun, words: Counter[str]) -> str:
    failing = sum(fails(row, strict=told.view.strict) for row in told.rows)
    if not told.rows:
        return "Energy: no experiment was measured"
    if words["regressed"]:
        return f"Energy: {words['regressed']} of {len(told.rows)} experiments regressed"
    if failing:
        return f"Energy: {failing} of {len(told.rows)} experiments failed"
    if words["inconclusive"] or words["incomparable"]:
        return "Energy: nothing regressed, and not everything could be told"
    if words["pass"] or words["improved"]:
        return "Energy: nothing regressed"
    return "Energy: measured, compared with nothing"


def link_to_job(told: ToldRun) -> Iterator[Block]:
    """Where the log and the artifacts are, for who reads this elsewhere."""
    if told.place.job_url is not None:
        yield Block(f"[Log and artifacts]({told.place.job_url})")


def remarks(told: ToldRun) -> Iterator[Block]:
    """What has to be known before any figure is believed, of the method and of the machine."""
    for text in caveats(told.rows).texts:
        yield Block(f"> {prose(text)}")
    found = told.run.disturbances if told.run is not None else ()
    if found:
        yield Block(
            f"> ⚠️ On this machine: {prose('; '.join(found))}. {code('llem doctor')} says more."
        )


def to_look_at(told: ToldRun) -> Iterator[Block]:
    """The experiments that somebody has to look at, as a table."""
    rows = [row for row in told.rows if not is_good(row, told.view)]
    if rows:
        lines = [line for row in rows for line in table_lines(row, told, in_full=True)]
        yield Block(table_head(told), lines, remark=_remark("lines", told), turn=0)


def others(told: ToldRun) -> Iterator[Block]:
    """The experiments that came out well, folded away if there are others or many."""
    rows = [row for row in told.rows if is_good(row, told.view)]
    lines = [line for row in rows for line in table_lines(row, told, in_full=False)]
    if not rows:
        return
    remark = _remark("lines", told)
    if len(rows) == len(told.rows) <= _MANY:
        yield Block(table_head(told), lines, remark=remark, turn=2)
    else:
        counted = f"{len(rows)} other experiment{'' if len(rows) == 1 else 's'}"
        yield _folded(counted, table_head(told), lines, remark, turn=2)


def reasons(told: ToldRun) -> Iterator[Block]:
    """Why experiments failed the run."""
    found = list(notes.failures(told.rows, told.view))
    if found:
        items = [_item(note, told) for note in found]
        yield Block("### Why\n", items, remark=_remark("reasons", told), turn=1)


def further(told: ToldRun) -> Iterator[Block]:
    """What else is to be said of figures and verdicts, folded away."""
    found = [*notes.invalid(told.rows, told.view), *notes.warnings(told.rows, told.view)]
    if found:
        items = [_item(note, told) for note in found]
        yield _folded("Warnings of measurements", "", items, _remark("warnings", told), turn=3)
    explained = list(notes.verdicts(told.rows, told.view))
    if explained:
        items = [_item(note, told) for note in explained]
        remark = _remark("explanations", told)
        yield _folded("What the other verdicts rest on", "", items, remark, turn=4)


def said(lines: Sequence[str]) -> Iterator[Block]:
    """What else has to be said, a paragraph each."""
    yield from (Block(prose(line)) for line in lines if line)


def how_to_reproduce(told: ToldRun) -> Iterator[Block]:
    """The command, the commit, the machine and the run's id."""
    if told.run is None:
        return
    manifest = told.run.manifest
    facts = dict(_facts(told))
    lines = [f"- {name}: {fact}" for name, fact in facts.items()]
    command = cut_middle(command_line(manifest.command), LONGEST_COMMAND, "…")
    shown = fenced(command, "console")
    head = "<details><summary>How to reproduce this</summary>"
    yield Block("\n".join([head, "", shown, "", *lines, "", "</details>"]))


def _facts(told: ToldRun) -> Iterator[tuple[str, str]]:
    assert told.run is not None  # noqa: S101 - checked by the caller
    manifest, environment = told.run.manifest, told.run.environment
    yield "run", f"{code(manifest.run_id)}, begun {prose(manifest.started_at)}"
    if told.place.job_url is not None:
        yield "log and artifacts", f"[this job]({told.place.job_url})"
    if environment is not None:
        if environment.git is not None and environment.git.commit is not None:
            dirty = " with changes that are not committed" if environment.git.dirty else ""
            yield "commit", code(environment.git.commit) + dirty
        yield "machine", prose(", ".join(_machine(environment)))
    yield "pytest-llem", code(manifest.tool_version)


def _machine(environment: Environment) -> Iterable[str]:
    gpus = Counter(gpu.name or "GPU" for gpu in environment.gpus or ())
    yield from (f"{count} × {name}" if count > 1 else name for name, count in gpus.items())
    if environment.driver_version:
        yield f"driver {environment.driver_version}"
    yield from filter(None, (environment.cpu_model, environment.os, environment.python))


def _item(note: Note, told: ToldRun) -> str:
    names = [_name(name, told) for name in note.names[: notes.MOST_NAMES]]
    if len(note.names) > len(names):
        names.append(f"and {len(note.names) - len(names)} more")
    about = f" {', '.join(names)}" if names else ""
    return f"- **{prose(note.word)}**{about}: {prose(note.text)}"


def _name(name: str, told: ToldRun) -> str:
    row = told.named.get(name)
    return code(name) if row is None else linked(row, told)


def _folded(summary: str, head: str, items: Sequence[str], remark: str, *, turn: int) -> Block:
    opened = [f"<details><summary>{summary}</summary>", "", *([head] if head else [])]
    return Block("\n".join(opened), items, "</details>", remark, turn)


def _remark(what: str, told: ToldRun) -> str:
    run = "" if told.run is None else f"; `llem runs show {told.run.manifest.run_id}` has all"
    return _LEFT_OUT % (what, run)
