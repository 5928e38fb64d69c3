"""The ``llem`` command: thin over the library."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from pytest_llem._version import __version__
from pytest_llem.commands import baseline, runs
from pytest_llem.commands.ab import aa, ab
from pytest_llem.commands.config import check, profiles, schema, show, template
from pytest_llem.commands.cost import cost
from pytest_llem.commands.doctor import doctor
from pytest_llem.commands.history import history
from pytest_llem.commands.migrate import migrate
from pytest_llem.commands.plan import plan
from pytest_llem.commands.run import run
from pytest_llem.commands.streams import has_colour, standard_streams
from pytest_llem.errors import LlemError

app = typer.Typer(
    name="llem",
    help="Energy experiments on LLM inference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
MOST, MORE = "Commands that most people need", "More commands"
config_app = typer.Typer(help="What experiments can be told.", no_args_is_help=True)
for _command in (show, schema, template, check, profiles):
    config_app.command()(_command)
for _app, _name, _panel in (
    (runs.app, "runs", MOST),
    (config_app, "config", MOST),
    (baseline.app, "baseline", MORE),
):
    app.add_typer(_app, name=_name, rich_help_panel=_panel)
for _most in (doctor, run, ab):
    app.command(rich_help_panel=MOST)(_most)
for _further in (plan, aa, history, cost, migrate):
    app.command(rich_help_panel=MORE)(_further)


def main() -> None:
    """Entry point of ``llem`` and of ``python -m pytest_llem``."""
    try:
        with standard_streams():
            app()
    except LlemError as error:
        typer.echo(f"llem: {error}", err=True)
        sys.exit(2)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pytest-llem {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Energy experiments on LLM inference."""
    # Typer would strip colours that are wanted in a pipe.
    context.color = has_colour(sys.stdout) or None


@runs.app.command()
@app.command(rich_help_panel=MORE)
def recompute(
    run: Annotated[str, typer.Argument(help="Its directory, its id, or the beginning of it.")],
) -> None:
    """Derive a run's figures again from its raw data, and compare."""
    from pytest_llem.runs.recomputing import recompute_run

    recomputed = recompute_run(run)
    for line in recomputed.lines:
        typer.echo(line)
    if recomputed.differs:
        raise typer.Exit(1)


@runs.app.command()
@app.command(rich_help_panel=MORE)
def export(
    run: Annotated[str, typer.Argument(help="Its directory, its id, or the beginning of it.")],
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME:PATH...", help="Format and file, csv:results.csv; otel alone."
        ),
    ],
) -> None:
    """Write a run's results in other formats."""
    from pytest_llem.runs.exporting import export_run

    problems = export_run(run, targets)
    for problem in problems:
        typer.echo(f"llem: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


@config_app.command()
def coverage(
    engine: Annotated[str | None, typer.Option(help="One engine; by default all.")] = None,
    python: Annotated[
        str | None, typer.Option(help="Interpreter that has the engine installed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare the engines' sections with the parameters that the engines have."""
    from pytest_llem.reports.coverage import coverage_json, coverage_lines
    from pytest_llem.runs.covering import engine_coverage

    found = engine_coverage(engine, python)
    if as_json:
        typer.echo(json.dumps([coverage_json(one) for one in found], indent=2))
        return
    for line in coverage_lines(found):
        typer.echo(line)


@app.command(rich_help_panel=MORE)
def components(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Import each, and fail where one is broken.")
    ] = False,
) -> None:
    """List engines, meters and whatever else goes by name, without importing any."""
    from pytest_llem.reports.components import component_json, component_lines
    from pytest_llem.runs.components import components as listed

    listing = listed(check=check)
    if as_json:
        typer.echo(json.dumps(component_json(listing), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(component_lines(listing)))
    if check and any(one.state in {"broken", "collides"} for one in listing):
        raise typer.Exit(1)
