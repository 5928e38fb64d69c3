"""``llem doctor``: what would disturb a measurement on this machine, and how to mend it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pytest_llem.commands.streams import has_colour, is_unicode


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Look this machine over: what would disturb a measurement, meters, engines, support.

    Exits with 1 if something has to be mended before anything can be measured. Changes nothing.
    """
    from pytest_llem.reports.doctor import doctor_lines
    from pytest_llem.runs.doctor import examine

    diagnosis = examine(Path.cwd())
    if as_json:
        typer.echo(diagnosis.model_dump_json(indent=2))
    else:
        unicode = is_unicode(sys.stdout)
        for line in doctor_lines(diagnosis, colour=has_colour(sys.stdout), unicode=unicode):
            typer.echo(line)
    if diagnosis.impossible:
        raise typer.Exit(1)
