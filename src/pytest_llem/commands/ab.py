"""``llem ab`` and ``llem aa``: two sides of a change, or the same side twice."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.reports.ab import Tale
    from pytest_llem.runs.ab.comparing import Compared
    from pytest_llem.runs.ab.side import Side

INTERRUPTED = 130
"""Exit status of what Ctrl-C has ended, as shells have it."""

Tests = Annotated[
    list[str] | None,
    typer.Argument(metavar="TESTS...", help="Files, folders or node ids, as pytest takes them."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="python=, ref=, env.NAME= or any field; repeatable."),
]
Gates = Annotated[
    list[str] | None,
    typer.Option(
        "--gate", metavar="METRIC:TOLERANCE", help="What must not get worse; METRIC:TOLERANCE@GLOB."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Fail also where nothing could be told.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--pytest", metavar="OPTIONS", help="Further options of pytest, as one text."),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


def ab(  # noqa: PLR0913, PLR0917 - one parameter an option
    tests: Tests = None,
    a: Sets = None,
    b: Sets = None,
    gates: Gates = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", min=1, help="Processes of each experiment on each side."),
    ] = None,
    max_repeats: Annotated[
        int | None,
        typer.Option("--max-repeats", min=1, help="The most of them until a gate is decided."),
    ] = None,
    strict: Strict = False,
    options: Options = None,
    as_json: AsJson = False,
) -> None:
    """Measure two sides in turns on the same devices, and say what b changes against a.

    Needs no baseline, and is the most sensitive comparison there is: what differs from one
    session to another is the same for both sides.
    """
    from pytest_llem.errors import ConfigError
    from pytest_llem.runs.ab.side import Side

    if not (a or b):
        raise ConfigError(
            "both sides are the same. Set something on one: llem ab bench/ --b "
            "'vllm.max_num_seqs=64'. To measure a side against itself: llem aa"
        )
    sides = Side.asked("a", a or []), Side.asked("b", b or [])
    how = {"rounds": rounds, "max_repeats": max_repeats, "strict": strict}
    compared = _compared(sides, tests, options, gates, how, silent=as_json)
    if as_json:
        _put_json(_plain(compared))
    else:
        _show(compared, sides)
    _leave(compared)


def aa(  # noqa: PLR0913, PLR0917 - one parameter an option
    tests: Tests = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="For both sides.")
    ] = None,
    gates: Gates = None,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Processes of each experiment on each side.")
    ] = 8,
    strict: Strict = False,
    options: Options = None,
    as_json: AsJson = False,
) -> None:
    """Measure the same thing against itself: false alarms, and what this machine can see."""
    from pytest_llem.baselines.self_check import self_check
    from pytest_llem.reports.ab import self_check_lines
    from pytest_llem.runs.ab.side import Side

    sides = Side.asked("a", sets or [], "--set"), Side.asked("b", sets or [], "--set")
    how = {"rounds": rounds, "strict": strict}
    compared = _compared(sides, tests, options, gates, how, silent=as_json)
    rests = [(one.node_id, each) for one in compared.verdicts for each in one.comparisons]
    check = self_check(rests)
    if as_json:
        _put_json({**_plain(compared), "self_check": check and asdict(check)})
    else:
        _show(compared, sides)
        for line in self_check_lines(check, _width()):
            typer.echo(line)
    _leave(compared)


def _compared(  # noqa: PLR0913 - what a comparison is made of
    sides: tuple[Side, Side],
    tests: list[str] | None,
    options: list[str] | None,
    gates: list[str] | None,
    how: dict[str, Any],
    *,
    silent: bool,
) -> Compared:
    from pytest_llem.runs.ab.comparing import Asked, compare_sides

    asked = Asked(*sides, tuple(tests or ()), _split(options), tuple(gates or ()), **how)
    return compare_sides(asked, _tale(silent=silent))


def _leave(compared: Compared) -> None:
    if compared.interrupted:
        raise typer.Exit(INTERRUPTED)
    if compared.failed:
        raise typer.Exit(1)


def _split(options: list[str] | None) -> tuple[str, ...]:
    from pytest_llem.errors import ConfigError

    try:
        return tuple(word for text in options or () for word in shlex.split(text))
    except ValueError as error:
        raise ConfigError(f"--pytest {options}: {error}. Write '-k chat -x'.") from None


def _tale(*, silent: bool) -> Tale:
    from pytest_llem.reports.ab import Tale
    from pytest_llem.reports.progress import is_live, live_width

    def write(text: str) -> None:
        if not silent:
            typer.echo(text, err=True, nl=False)

    live = is_live(sys.stderr, os.environ) and not silent
    return Tale(write, width=live_width(sys.stderr), live=live, unicode=_unicode(sys.stderr))


def _unicode(stream: object) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().startswith("utf")


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _show(compared: Compared, sides: tuple[Side, Side]) -> None:
    from pytest_llem.reports.terminal import SummaryRow, summary_lines
    from pytest_llem.runs.pooling import pooled_result

    rows = [
        SummaryRow(pooled_result(one.results), one.judgements, one.results, len(one.results))
        for one in compared.verdicts
        if one.results and not one.problem
    ]
    lines = summary_lines(
        rows,
        width=_width(),
        colour=sys.stdout.isatty(),
        unicode=_unicode(sys.stdout),
        verbosity=1,
        strict=compared.strict,
        against="a",
    )
    for line in (*_top(compared, sides), "", *lines, *_bottom(compared)):
        typer.echo(line)


def _top(compared: Compared, sides: tuple[Side, Side]) -> Iterator[str]:
    from pytest_llem.reports.ab import headline

    named = {side.name: side.described for side in sides}
    rounds = [len(one.results) for one in compared.verdicts if not one.problem]
    yield from headline(named, compared.environments, rounds)


def _bottom(compared: Compared) -> Iterator[str]:
    from pytest_llem.reports.ab import only_lines, spending

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


def _put_json(said: dict[str, object]) -> None:
    typer.echo(json.dumps(said, indent=2, ensure_ascii=False))


def _plain(compared: Compared) -> dict[str, object]:
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
