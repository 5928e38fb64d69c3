"""``llem baseline``: what is in the baselines, and changing that on purpose."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_llem.commands.defaults import BASELINES as HERE

if TYPE_CHECKING:
    from pytest_llem.baselines.catalogue import Catalogued

app = typer.Typer(help="Look at baselines, compare them, accept and prune.", no_args_is_help=True)

Directory = Annotated[
    Path, typer.Option("--baselines", metavar="DIR", help="Where baselines live.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Experiments = Annotated[
    str | None,
    typer.Argument(
        metavar="EXPERIMENTS", help="Glob of node ids, functions, files, or an identity."
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="PATH|REF", help="Another directory, file, or git ref."),
]
Hardware = Annotated[str | None, typer.Option(metavar="GLOB", help="Class of hardware.")]


@app.command("list")
def list_(
    experiments: Experiments = None,
    baselines: Directory = HERE,
    source: From = None,
    hardware: Hardware = None,
    as_json: AsJson = False,
) -> None:
    """Every experiment that has a baseline, with its value and where it came from."""
    from pytest_llem.reports.baselines import list_json, list_lines

    found = catalogued(baselines, source, experiments, hardware)
    if as_json:
        put_json(list_json(found))
        return
    put(list_lines(found) or [nothing(baselines, source, experiments)])


@app.command()
def show(
    experiments: Experiments = None,
    baselines: Directory = HERE,
    source: From = None,
    hardware: Hardware = None,
    as_json: AsJson = False,
) -> None:
    """All that is known of baselines: sessions and their reasons, values, where they were measured."""
    from pytest_llem.reports.baselines import show_json, show_lines

    found = catalogued(baselines, source, experiments, hardware)
    if as_json:
        put_json([show_json(one) for one in found])
    elif found:
        put("\n\n".join("\n".join(show_lines(one)) for one in found).splitlines())
    else:
        refuse(nothing(baselines, source, experiments))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="Path or git ref.")] = "HEAD",
    now: Annotated[
        str | None, typer.Argument(metavar="NOW", help="Path or git ref; by default, DIR.")
    ] = None,
    baselines: Directory = HERE,
    metric: Annotated[list[str] | None, typer.Option(help="Metrics to compare.")] = None,
    as_json: AsJson = False,
) -> None:
    """What changed in the baselines: by default, since the last commit. Exits with 1 if anything did."""
    from pytest_llem.reports.baselines import diff_json, diff_lines
    from pytest_llem.runs.baselines_here import diff_baselines

    changed = diff_baselines(before, now, metrics=metric or (), directory=baselines)
    if as_json:
        put_json(diff_json(changed))
    else:
        put(diff_lines(changed) or ["no baseline differs"])
    if changed:
        raise typer.Exit(1)


@app.command()
def accept(
    run: Annotated[str, typer.Argument(help="Its directory, its id, or the beginning of it.")],
    reason: Annotated[str, typer.Option(help="What changed, and why that is right. It is kept.")],
    experiments: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Accept these only.")
    ] = None,
    extend: Annotated[
        bool,
        typer.Option("--extend", help="As a further session of the same, not as a new beginning."),
    ] = False,
    baselines: Directory = HERE,
) -> None:
    """Make a run's results the new baseline; what failed or is incomplete is refused."""
    from pytest_llem.runs.baselines_here import accept_baselines

    update = accept_baselines(run, reason, pattern=experiments, extend=extend, directory=baselines)
    for stored in update.stored:
        typer.echo(f"accepted  {stored.experiment_id}  {stored.path}")
    for refused in update.refused:
        typer.echo(f"refused   {refused.experiment_id}  {refused.reason}")
    if update.refused:
        raise typer.Exit(1)


@app.command()
def prune(
    sessions: Annotated[
        int | None,
        typer.Option(min=1, help="Sessions to keep of each; by default, what is configured."),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Drop what nothing is compared with any more.")
    ] = False,
    remove: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Remove these experiments altogether.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, and change nothing.")] = False,
    baselines: Directory = HERE,
) -> None:
    """Shorten histories, or remove experiments that are no more."""
    from pytest_llem.runs.baselines_here import prune_baselines

    pruned = prune_baselines(
        sessions=sessions, history=history, remove=remove, dry_run=dry_run, directory=baselines
    )
    put(list(pruned.said) or ["nothing to prune"])
    if pruned.changed:
        put([f"changed {path}" for path in pruned.changed])


def catalogued(
    baselines: Path, source: str | None, pattern: str | None, hardware: str | None
) -> list[Catalogued]:
    """What was asked for, in order."""
    from pytest_llem.runs.baselines_here import list_baselines

    return list_baselines(pattern, hardware=hardware, source=source, directory=baselines)


def nothing(baselines: Path, source: str | None, pattern: str | None) -> str:
    """That there is nothing, where one looked, and what would change it."""
    those = "" if pattern is None else f" that {pattern!r} names"
    return (
        f"no baselines{those} in {source or baselines}; pytest --llem-update-baselines stores some"
    )


def refuse(text: str) -> None:
    """Say it to those who watch, and fail."""
    typer.echo(f"llem: {text}", err=True)
    raise typer.Exit(1)


def put(lines: list[str]) -> None:
    """Show *lines*; signs that the terminal does not have become question marks."""
    encoding = sys.stdout.encoding or "ascii"
    typer.echo("\n".join(lines).encode(encoding, "replace").decode(encoding))


def put_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
