"""``llem cost``: what runs took, and what that comes to."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from pytest_llem.commands.baseline import AsJson, put
from pytest_llem.commands.defaults import RUNS as HERE
from pytest_llem.commands.streams import is_unicode


def cost(  # noqa: PLR0913, PLR0917 - one parameter an option
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Directories, ids, or beginnings of them; else the latest."
        ),
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Of the prices, such as EUR.")] = None,
    price_per_kwh: Annotated[float | None, typer.Option(help="Of electricity.")] = None,
    price_per_gpu_hour: Annotated[float | None, typer.Option(help="Of renting one GPU.")] = None,
    grid: Annotated[
        float | None,
        typer.Option("--grid-gco2e-per-kwh", help="Grams of CO2 equivalent of the grid."),
    ] = None,
    pue: Annotated[
        float | None, typer.Option(help="Energy of the building for each joule of its computers.")
    ] = None,
    root: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where runs are kept.")] = HERE,
    as_json: AsJson = False,
) -> None:
    """Time, energy, tokens, money and carbon of runs, from prices that you declare.

    Options win over [tool.llem.cost] of pyproject.toml. Nothing is assumed where nothing was declared.
    """
    from pytest_llem.reports.cost import cost_lines
    from pytest_llem.runs.costing import cost_of_runs

    declared = {
        "currency": currency,
        "price_per_kwh": price_per_kwh,
        "price_per_gpu_hour": price_per_gpu_hour,
        "grid_gco2e_per_kwh": grid,
        "pue": pue,
    }
    report = cost_of_runs(runs or (), root, declared)
    if as_json:
        put([report.model_dump_json(indent=2)])
        return
    width = shutil.get_terminal_size((80, 24)).columns
    unicode = is_unicode(sys.stdout)
    put(cost_lines(report, width=width, unicode=unicode))
