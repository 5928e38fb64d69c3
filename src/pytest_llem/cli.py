"""The ``llem`` command: thin over the library."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_llem._version import __version__
from pytest_llem.commands import baseline
from pytest_llem.commands.ab import aa, ab
from pytest_llem.commands.doctor import doctor
from pytest_llem.commands.history import history
from pytest_llem.errors import ConfigError, LlemError
from pytest_llem.runs.limits import LOCK_TIMEOUT_S, TIMEOUT_S

if TYPE_CHECKING:
    from pytest_llem.results.schema import ExperimentResult

app = typer.Typer(
    name="llem",
    help="Energy experiments on LLM inference.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="What experiments can be told.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(baseline.app, name="baseline")
app.command()(history)
app.command()(ab)
app.command()(aa)
app.command()(doctor)


def main() -> None:
    """Entry point of ``llem`` and of ``python -m pytest_llem``."""
    try:
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
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Energy experiments on LLM inference."""


@app.command()
def run(  # noqa: PLR0913, PLR0917 - one parameter an option
    model: Annotated[str, typer.Option(help="Built-in model, local folder or hub id.")],
    backend: Annotated[str, typer.Option(help="Engine.")] = "transformers",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any field of an experiment."),
    ] = None,
    meter: Annotated[str, typer.Option(help="What reads the energy.")] = "auto",
    require: Annotated[
        str | None, typer.Option(metavar="measured", help="Refuse estimates.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Limit in seconds; 0 is none.")] = TIMEOUT_S,
    lock_timeout: Annotated[
        float, typer.Option(min=0, help="How long to wait for devices in use; 0 does not.")
    ] = LOCK_TIMEOUT_S,
    allow_shared: Annotated[
        bool, typer.Option("--allow-shared", help="Measure also where others use the devices.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Append every transition as JSON lines.")
    ] = None,
) -> None:
    """Measure one experiment and keep its result under .llem/."""
    from dataclasses import replace

    from pytest_llem.config.experiment import ENGINE_SECTIONS
    from pytest_llem.config.homes import read_homes
    from pytest_llem.config.problems import unknown_value
    from pytest_llem.config.sections import engine_called
    from pytest_llem.engines import ENGINES
    from pytest_llem.plan.bare import bare_experiment
    from pytest_llem.plan.overrides import overrides_of
    from pytest_llem.runs.library import default_settings, run_experiment

    elsewhere = read_homes(Path.cwd(), os.environ, ()).engines
    known = {*ENGINE_SECTIONS, *ENGINES.names(), *elsewhere}
    backend = engine_called(backend)
    if backend not in known:
        raise ConfigError(str(unknown_value("backend", backend, known, "engine")))
    config = bare_experiment(overrides_of([backend], model, overrides or []))
    settings = replace(
        default_settings(),
        meter=meter,
        require_measured=_required(require),
        timeout_s=timeout or None,
        lock_timeout_s=lock_timeout,
        allow_shared=allow_shared,
        log=log,
    )
    result = run_experiment(config, settings=settings)
    _show(result)
    if result.outcome != "passed":
        raise typer.Exit(1)


@app.command()
def recompute(
    run: Annotated[Path, typer.Argument(help="Directory of a run, or its id under .llem/runs.")],
) -> None:
    """Derive a run's figures again from its raw data, and compare."""
    from pytest_llem.runs.recomputing import recompute_run

    recomputed = recompute_run(run)
    for line in recomputed.lines:
        typer.echo(line)
    if recomputed.differs:
        raise typer.Exit(1)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Directory of a run, or its id under .llem/runs.")],
    targets: Annotated[
        list[str], typer.Argument(metavar="NAME:PATH...", help="Format and file, csv:results.csv.")
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
    from pytest_llem.config.coverage.listing import listings
    from pytest_llem.config.problems import unknown_value
    from pytest_llem.config.sections import engine_called
    from pytest_llem.engines.signatures.covering import coverage_now
    from pytest_llem.reports.coverage import coverage_json, coverage_lines

    known = listings()
    engine = engine and engine_called(engine)
    if engine is not None and engine not in known:
        raise ConfigError(str(unknown_value("engine", engine, known, "engine")))
    if python is not None and engine is None:
        raise ConfigError("--python needs --engine: one interpreter is that of one engine.")
    found = [coverage_now(name, python) for name in ([engine] if engine else known)]
    if as_json:
        typer.echo(json.dumps([coverage_json(one) for one in found], indent=2))
        return
    for line in coverage_lines(found):
        typer.echo(line)


@app.command()
def components(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Import each, and fail where one is broken.")
    ] = False,
) -> None:
    """List engines, meters and whatever else goes by name, without importing any."""
    from pytest_llem.reports.components import component_json, component_lines
    from pytest_llem.runs import components as of_all

    listing = of_all.components(check=check)
    if as_json:
        typer.echo(json.dumps(component_json(listing), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(component_lines(listing)))
    if check and any(one.state in {"broken", "collides"} for one in listing):
        raise typer.Exit(1)


def _required(require: str | None) -> bool:
    if require not in {None, "measured"}:
        raise typer.BadParameter(f"{require!r} is not known; the only value is 'measured'.")
    return require == "measured"


def _show(result: ExperimentResult) -> None:
    from pytest_llem.reports.terminal import SummaryRow, summary_lines

    size = shutil.get_terminal_size((80, 24))
    lines = summary_lines(
        [SummaryRow(result)],
        width=size.columns,
        colour=sys.stdout.isatty(),
        unicode=(sys.stdout.encoding or "").lower().startswith("utf"),
        verbosity=0,
    )
    for line in (*lines, f"results: .llem/runs/{result.run_id}"):
        typer.echo(line)
