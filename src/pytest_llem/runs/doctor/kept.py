"""What would have disturbed a run, by the environment that was kept with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.runs.doctor.gpus import gpu_findings
from pytest_llem.runs.doctor.processors import environment_findings
from pytest_llem.runs.doctor.seen import Seen

if TYPE_CHECKING:
    from pytest_llem.results.environment import Environment

BUSY_LOAD = 0.5
"""Processes that wanted to run in the minute before a run began, for each processor."""


def disturbances(environment: Environment) -> list[str]:
    """What disturbed measuring there, each in a few words; nothing is read now."""
    seen = Seen(environment, {}, Path())
    found = [*gpu_findings(seen), *environment_findings(environment)]
    said = [f"{one.what} ({one.value})" for one in found if one.level == "disturbs"]
    load, cores = environment.load_1m, environment.logical_cores
    if load is not None and cores and load > BUSY_LOAD * cores:
        said.append(f"the processors were busy before it began (load {load:g})")
    return said
