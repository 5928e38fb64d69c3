"""``llem ab`` and ``llem aa``: two sides of a change, or the same side twice."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_llem.commands.baseline import put_json
from pytest_llem.commands.streams import has_colour, is_unicode

if TYPE_CHECKING:
    from pytest_llem.reports.ab import Tale
    from pytest_llem.runs.ab.comparing import Asked, Compared
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
    markdown: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the report as Markdown, too.")
    ] = None,
) -> None:
    """Measure two sides in turns on the same devices, and say what b changes against a.

    Needs no baseline, and is the most sensitive comparison there is: what differs from one
    session to another is the same for both sides.
    """
    from pytest_llem.runs.ab.asking import run_ab
    from pytest_llem.runs.ab.side import Side

    sides = Side.asked("a", a or []), Side.asked("b", b or [])
    asked = replace(_asked(sides, tests, options, gates), rounds=rounds, max_repeats=max_repeats)
    compared = run_ab(replace(asked, strict=strict), _tale(silent=as_json))
    if as_json:
        put_json(_plain(compared))
    else:
        _show(compared, sides)
    if markdown is not None:
        from pytest_llem.runs.ab.telling import write_compared

        write_compared(compared, sides, markdown)
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
    from pytest_llem.reports.ab import self_check_lines
    from pytest_llem.runs.ab.asking import both_sides, run_aa

    sides = both_sides(*(sets or []))
    asked = replace(_asked(sides, tests, options, gates), rounds=rounds, strict=strict)
    compared, check = run_aa(asked, _tale(silent=as_json))
    if as_json:
        put_json({**_plain(compared), "self_check": check and asdict(check)})
    else:
        _show(compared, sides)
        for line in self_check_lines(check, _width()):
            typer.echo(line)
    _leave(compared)


def _asked(
    sides: tuple[Side, Side],
    tests: list[str] | None,
    options: list[str] | None,
    gates: list[str] | None,
) -> Asked:
    from pytest_llem.runs.ab.comparing import Asked

    return Asked(*sides, tuple(tests or ()), _split(options), tuple(gates or ()))


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
    return Tale(write, width=live_width(sys.stderr), live=live, unicode=is_unicode(sys.stderr))


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def _show(compared: Compared, sides: tuple[Side, Side]) -> None:
    from pytest_llem.runs.ab.telling import compared_lines
    from pytest_llem.runs.showing import Look

    look = Look(_width(), has_colour(sys.stdout), is_unicode(sys.stdout), verbosity=1)
    for line in compared_lines(compared, sides, look):
        typer.echo(line)


def _plain(compared: Compared) -> dict[str, Any]:
    from pytest_llem.runs.ab.telling import compared_json

    return compared_json(compared)
