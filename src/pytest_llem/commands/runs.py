"""``llem runs``: what is kept of earlier runs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_llem.commands.baseline import AsJson, put, put_json, refuse
from pytest_llem.commands.defaults import RUNS as HERE
from pytest_llem.commands.streams import has_colour, is_unicode

if TYPE_CHECKING:
    from pytest_llem.results.listing import StoredRun

app = typer.Typer(help="Look at stored runs, and delete them.", no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Option(metavar="NAMES", help="As pytest's --llem-… of that name.")
]
Root = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where runs are kept.")]


@app.command("list")
def list_(
    root: Root = HERE,
    last: Annotated[
        int | None, typer.Option("--last", "-n", min=1, help="Only so many, the latest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every run, oldest first: when it began, how far it came, its verdicts and its size."""
    from pytest_llem.reports.runs import list_json, list_lines
    from pytest_llem.runs.kept_runs import list_runs

    runs = list_runs(root, last)
    if as_json:
        put_json(list_json(runs))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        put(list_lines(runs, width) or [f"no runs in {root / 'runs'}; pytest stores one"])


@app.command()
def show(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Annotated[
        str | None,
        typer.Argument(help="Its directory, its id, or the beginning of it; else the latest."),
    ] = None,
    root: Root = HERE,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="As pytest's; twice for windows.")
    ] = 0,
    columns: Names = None,
    sort: Names = None,
    group_by: Names = None,
) -> None:
    """What pytest said of a run at its end; of an interrupted one, what there is."""
    from pytest_llem.reports.arrangement import arrangement_of
    from pytest_llem.runs.kept_runs import show_run
    from pytest_llem.runs.showing import Look

    look = Look(
        width=shutil.get_terminal_size((80, 24)).columns,
        colour=has_colour(sys.stdout),
        unicode=is_unicode(sys.stdout),
        verbosity=verbose,
        arrangement=arrangement_of(columns or [], sort or [], group_by or []),
    )
    put(show_run(run, root, look))


@app.command()
def html(
    run: Annotated[
        str | None,
        typer.Argument(help="Its directory, its id, or the beginning of it; else the latest."),
    ] = None,
    root: Root = HERE,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="What to write.")
    ] = Path("report.html"),
) -> None:
    """The run as one HTML file, which opens without a network."""
    from pytest_llem.runs.html import write_html
    from pytest_llem.runs.kept_runs import open_run

    write_html(open_run(run, root), output)
    put([f"report: {output}"])


@app.command()
def delete(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Directories, ids, or beginnings of them.")
    ],
    root: Root = HERE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete runs with all that they keep. One that goes on is never deleted."""
    from pytest_llem.reports.runs import size, state_of
    from pytest_llem.results.listing import delete_run, stored_run
    from pytest_llem.runs.kept_runs import open_run

    paths = dict.fromkeys(open_run(run, root).path for run in runs)
    found = [stored_run(path.resolve()) for path in paths]
    for one in found:
        put([f"{one.run_id}  {state_of(one)}, {size(one.size_bytes)}"])
    if not yes:
        _ask(found)
    for one in found:
        delete_run(one.path)
        put([f"deleted {one.path}"])


def _ask(runs: list[StoredRun]) -> None:
    if not _somebody_is_there():
        refuse("nobody is there to be asked; say --yes to delete what is listed above.")
    those = "this run" if len(runs) == 1 else f"these {len(runs)} runs"
    if not typer.confirm(f"Delete {those} for good?"):
        raise typer.Exit(1)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()
