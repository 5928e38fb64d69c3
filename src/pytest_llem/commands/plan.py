"""``llem plan``: what a study would measure, however large it is."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from pytest_llem.commands.run import become_pytest
from pytest_llem.errors import ConfigError

MOST_IN_A_TABLE = 20_000
"""Points up to which a study is shown as a dry run shows it, with memory, time and energy."""


def plan(  # noqa: PLR0913, PLR0917 - one parameter an option
    study: Annotated[
        Path, typer.Argument(metavar="STUDY", help="A study file, such as quant.llem.yaml.")
    ],
    model: Annotated[str | None, typer.Option(help="Model of every experiment.")] = None,
    backend: Annotated[
        str | None, typer.Option(metavar="NAME[,NAME]", help="Engine; several multiply.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any field of every experiment."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="System profile; else as detected.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Fresh processes of each experiment.")
    ] = None,
    plan_json: Annotated[
        str | None, typer.Option("--json", metavar="PATH", help="Write the plan as JSON; - prints.")
    ] = None,
) -> None:
    """Show the points of a study without making tests of them.

    Up to 20,000 points are shown as a dry run shows them; more are counted one by one.
    """
    from pytest_llem.plan.stream import tally
    from pytest_llem.plan.tally_lines import tally_lines
    from pytest_llem.runs.studies import study_points

    points = study_points(study, model, backend, overrides or (), profile)
    if sum(1 for _ in islice(points.rows(), MOST_IN_A_TABLE + 1)) <= MOST_IN_A_TABLE:
        options = {
            "--llem-dry-run": True,
            "--llem-model": model,
            "--llem-backend": backend,
            "--llem-set": overrides,
            "--llem-profile": profile,
            "--llem-repeats": repeats,
            "--llem-plan-json": plan_json,
        }
        become_pytest([str(study)], options)
    if plan_json is not None:
        raise ConfigError(
            f"--json is for up to {MOST_IN_A_TABLE:,} points, and {study} has more. Narrow it with "
            "--set, or leave --json out."
        )
    width = shutil.get_terminal_size((80, 24)).columns
    for line in tally_lines(points.group, points.axes(), tally(points, repeats), width):
        typer.echo(line)
