"""Where workers run: experiments of one run need one machine, one interpreter, one directory."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    import pytest

    from pytest_llem.runs.settings import RunSettings

PLACE = "llem_place"
"""Key of ``workerinput`` by which the controller says where it is."""


class Place(TypedDict):
    """Where a pytest runs."""

    host: str
    python: str
    """Version of Python, and where its environment is."""
    runs: str
    """Where runs are kept."""
    each: bool
    """Whether every worker is given all tests, and there are several."""


def place_here(config: pytest.Config, runs: Path) -> Place:
    """That of this process, which keeps runs in *runs*."""
    workers = config.getoption("tx", None) or ()
    return Place(
        host=platform.node(),
        python=f"{platform.python_version()} of {Path(sys.prefix).resolve()}",
        runs=str(runs),
        each=config.getoption("dist", "no") == "each" and len(workers) > 1,
    )


def check_place(
    config: pytest.Config, settings: RunSettings, *, several: bool, gated: bool
) -> None:
    """Refuse to run experiments in a worker whose results would be no part of one run.

    Args:
        config: of the worker.
        settings: likewise.
        several: whether experiments have more than one process.
        gated: whether some have gates.

    Raises:
        ConfigError: why, and what to do.
    """
    there: Place | None = getattr(config, "workerinput", {}).get(PLACE)
    if there is None:
        return
    here = place_here(config, settings.runs)
    for name, what in (("host", "on"), ("python", "under Python"), ("runs", "with runs in")):
        if here[name] != there[name]:  # type: ignore[literal-required] # names of its fields
            raise ConfigError(
                f"pytest-xdist started a worker {what} {here[name]}, "  # type: ignore[literal-required]
                f"and pytest itself runs {what} {there[name]}: "  # type: ignore[literal-required]
                "experiments of one run belong to one environment. Use -n in place of --tx. Engines "
                "can have interpreters of their own, by python = in [tool.llem.engines.NAME]; llem "
                "ab compares two."
            )
    if there["each"]:
        _check_each(settings, several=several, gated=gated)


def _check_each(settings: RunSettings, *, several: bool, gated: bool) -> None:
    asked = [
        what
        for what, is_asked in (
            ("gates compare", gated),
            ("--llem-repeats and --llem-max-repeats take", several),
            ("--llem-update-baselines and --llem-extend-baselines keep", settings.update_baselines),
            ("--llem-resume goes on with", settings.resume is not None),
        )
        if is_asked
    ]
    if asked:
        raise ConfigError(
            f"--dist=each runs every experiment in every worker, while {asked[0]} each experiment "
            "once. Leave --dist=each out: several processes of one experiment are --llem-repeats=K."
        )
