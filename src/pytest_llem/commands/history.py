"""``llem history``: a metric over the sessions of baselines, with change points."""

from __future__ import annotations

from typing import Annotated

import typer

from pytest_llem.commands.baseline import (
    AsJson,
    Directory,
    Experiments,
    From,
    Hardware,
    catalogued,
    nothing,
    put,
    put_json,
    refuse,
)
from pytest_llem.commands.defaults import BASELINES as HERE


def history(  # noqa: PLR0913, PLR0917 - one parameter an option
    experiments: Experiments = None,
    metric: Annotated[
        str, typer.Option(help="Any metric that can be gated.")
    ] = "energy_per_output_token_j",
    significance: Annotated[
        float,
        typer.Option(min=0.005, max=0.5, help="Chance of a change point where nothing changed."),
    ] = 0.05,
    baselines: Directory = HERE,
    source: From = None,
    hardware: Hardware = None,
    as_json: AsJson = False,
) -> None:
    """A metric over the sessions that baselines keep, and where it changed (E-divisive)."""
    from pytest_llem.baselines.history import histories
    from pytest_llem.reports.history import history_json, history_lines

    found = catalogued(baselines, source, experiments, hardware)
    if not found and not as_json:
        refuse(nothing(baselines, source, experiments))
    shown = list(histories(found, metric, significance=significance))
    if as_json:
        put_json(history_json(shown))
    elif not shown:
        refuse(
            f"{metric} is known of none of {len(found)} experiments; llem baseline show lists what is"
        )
    else:
        put("\n\n".join("\n".join(history_lines(one)) for one in shown).splitlines())
