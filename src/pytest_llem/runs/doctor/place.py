"""What about the place would disturb a run: its disk, its locks, how processes are started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.components.component import normalized
from pytest_llem.isolation.choice import why_not_forked
from pytest_llem.isolation.exclusive.directory import VARIABLE, lock_directory
from pytest_llem.isolation.exclusive.lock_file import holder_of
from pytest_llem.results.diagnosis import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.runs.doctor.seen import Seen

FULL_BYTES, ALMOST_FULL_BYTES = 16 << 20, 1 << 30
"""Below the one a run cannot be kept; a large grid with all its readings takes the other."""
RUNS = ".llem"
PLUGINS = {
    "pytest-cov": "With --cov it traces the pytest process, which reads the devices; experiments "
    "themselves are run without it, and are spawned instead of forked.",
    "pytest-randomly": "It shuffles experiments and seeds random numbers anew; --llem-shuffle "
    "does the former with a seed that is kept.",
    "pytest-rerunfailures": "Reruns of a failed gate are chances to pass it by luck.",
    "pytest-xdist": "With -n, experiments that use different devices run side by side and share "
    "processors, memory and power supply.",
    "pytest-benchmark": "Its own calibration loops run in the pytest process beside the sampler.",
    "pytest-monitor": "It samples the pytest process, which reads the devices.",
}
"""Plugins that matter to a measurement when they are used, and how."""


def place_findings(seen: Seen) -> Iterator[Finding]:
    """Of the disk, of locks, of isolation, of plugins."""
    yield from _store(seen.project / RUNS)
    yield from _locks(lock_directory(seen.environ))
    yield from _isolation()
    yield from _plugins(seen)


def _store(runs: Path) -> Iterator[Finding]:
    place = _nearest(runs)
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        yield Finding(
            check="store.unwritable",
            level="impossible",
            what="results cannot be kept",
            value=f"{place} cannot be written",
            why="Every run writes its results, readings and manifest below it.",
            mend=f"pytest --llem-dir=DIR with a directory that can, or: sudo chown $USER {place}",
        )
        return
    free = shutil.disk_usage(place).free
    if free < ALMOST_FULL_BYTES:
        yield Finding(
            check="store.full",
            level="impossible" if free < FULL_BYTES else "disturbs",
            what="the disk of the results is almost full",
            value=f"{free / (1 << 20):.0f} MiB left at {place}",
            why="A result that cannot be written fails its experiment.",
            mend=f"make room (df -h {place}), or keep runs elsewhere: pytest --llem-dir=DIR",
        )


def _locks(directory: Path) -> Iterator[Finding]:
    place = _nearest(directory)
    if not os.access(place, os.W_OK | os.X_OK):
        yield Finding(
            check="locks.unwritable",
            level="impossible",
            what="no device can be had alone",
            value=f"{place} cannot be written",
            why="Locks keep two experiments from being measured as one.",
            mend=f"export {VARIABLE}=DIR, the same for all users of the devices; or "
            "--llem-allow-shared, which marks the results",
        )
        return
    for lock in sorted(directory.glob("*.lock")):
        holder = holder_of(lock)
        if holder is not None:
            yield Finding(
                check="locks.held",
                level="disturbs",
                what=f"another experiment has {_device(lock.stem)}",
                value=holder.described(),
                why="Experiments on it wait for that one to end.",
                mend="wait, or end it",
            )


def _device(name: str) -> str:
    return "the processors" if name.startswith("machine-") else name


def _isolation() -> Iterator[Finding]:
    why = why_not_forked()
    if why is not None:
        yield Finding(
            check="isolation.spawned",
            level="note",
            what="experiments are spawned, not forked",
            value=why,
            why="Each imports its engine again, which takes seconds. Figures are the same.",
        )


def _plugins(seen: Seen) -> Iterator[Finding]:
    installed = {normalized(name): name for name in seen.environment.packages or ()}
    for plugin, why in PLUGINS.items():
        if plugin in installed:
            yield Finding(
                check=f"plugin.{plugin}",
                level="note",
                what=f"{plugin} is installed",
                value=(seen.environment.packages or {})[installed[plugin]],
                why=why,
                mend=f"pytest -p no:{plugin.removeprefix('pytest-')}",
            )


def _nearest(path: Path) -> Path:
    """*path*, or what there is of the way to it."""
    return next((one for one in (path, *path.parents) if one.exists()), Path("/"))
