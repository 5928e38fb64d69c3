"""``llem ab`` and ``llem aa``: two sides of a change, or the same side twice."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.runs.ab.comparing import Compared

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
    typer.Option("--gate", metavar="METRIC:TOLERANCE", help="What must not get worse."),
]
Rounds = Annotated[
    int, typer.Option("--rounds", min=1, help="Processes of each experiment on each side.")
]
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
    rounds: Rounds = 5,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also where nothing could be told.")
    ] = False,
    options: Options = None,
    as_json: AsJson = False,
) -> None:
    """Measure two sides in turns on the same devices, and say what b changes against a.

    Needs no baseline, and is the most sensitive comparison there is: what differs from one
    session to another is the same for both sides.
    """
    from pytest_llem.errors import ConfigError
    from pytest_llem.runs.ab.comparing import Asked, compare_sides
    from pytest_llem.runs.ab.side import Side

    if not (a or b):
        raise ConfigError(
            "both sides are the same. Set something on one: llem ab bench/ --b "
            "'vllm.max_num_seqs=64'. To measure a side against itself: llem aa"
        )
    asked = Asked(
        Side.asked("a", a or []),
        Side.asked("b", b or []),
        tuple(tests or ()),
        _split(options),
        tuple(gates or ()),
        rounds,
    )
    compared = compare_sides(asked, _teller(silent=as_json))
    if as_json:
        typer.echo(json.dumps(_plain(compared), indent=2, ensure_ascii=False))
    else:
        _show(compared, asked.a.described, asked.b.described, strict=strict)
    if compared.failed(strict=strict):
        raise typer.Exit(1)


def aa(  # noqa: PLR0913, PLR0917 - one parameter an option
    tests: Tests = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="For both sides.")
    ] = None,
    gates: Gates = None,
    rounds: Rounds = 8,
    options: Options = None,
    as_json: AsJson = False,
) -> None:
    """Measure the same thing against itself: false alarms, and what this machine can see."""
    from pytest_llem.reports.ab import self_check_lines
    from pytest_llem.runs.ab.comparing import Asked, compare_sides
    from pytest_llem.runs.ab.self_check import recommended, self_checked
    from pytest_llem.runs.ab.side import Side

    asked = Asked(
        Side.asked("a", sets or []),
        Side.asked("b", sets or []),
        tuple(tests or ()),
        _split(options),
        tuple(gates or ()),
        rounds,
    )
    compared = compare_sides(asked, _teller(silent=as_json))
    found = (self_checked(*named) for named in compared.comparisons)
    checks = [one for one in found if one is not None]
    advice = recommended(checks)
    if as_json:
        plain = [asdict(one) for one in checks]
        said = {**_plain(compared), "checks": plain, "recommended": advice and asdict(advice)}
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    _show(compared, asked.a.described, asked.b.described, strict=False)
    for line in self_check_lines(checks, advice, shutil.get_terminal_size((80, 24)).columns):
        typer.echo(line)


def _split(options: list[str] | None) -> tuple[str, ...]:
    return tuple(word for text in options or () for word in shlex.split(text))


def _teller(*, silent: bool) -> Callable[[str], None]:
    def tell(text: str) -> None:
        if not silent:
            typer.echo(text, err=True)

    return tell


def _show(compared: Compared, a: str, b: str, *, strict: bool) -> None:
    from pytest_llem.reports.ab import headline, only_lines
    from pytest_llem.reports.terminal import SummaryRow, summary_lines
    from pytest_llem.runs.pooling import pooled_result

    rows = [
        SummaryRow(pooled_result(one.results), one.judgements, one.results, compared.rounds)
        for one in compared.verdicts
        if one.results
    ]
    lines = summary_lines(
        rows,
        width=shutil.get_terminal_size((80, 24)).columns,
        colour=sys.stdout.isatty(),
        unicode=(sys.stdout.encoding or "").lower().startswith("utf"),
        verbosity=1,
        strict=strict,
    )
    said = [f"{one.node_id}: {one.problem}" for one in compared.verdicts if one.problem]
    top = headline(a, b, len(compared.verdicts), compared.rounds)
    for line in (*top, "", *lines, *said, *only_lines(compared.only)):
        typer.echo(line)
    typer.echo(f"results: {compared.folder}")


def _plain(compared: Compared) -> dict[str, object]:
    return {
        "rounds": compared.rounds,
        "folder": str(compared.folder),
        "only": compared.only,
        "experiments": [
            {
                "node_id": one.node_id,
                "problem": one.problem or None,
                "judgements": [asdict(judgement) for judgement in one.judgements],
            }
            for one in compared.verdicts
        ],
    }
