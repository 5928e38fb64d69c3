"""What a run sets out to do, as its manifest says it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.identity import digest
from pytest_llem.results.manifest import PlannedExperiment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llem.plan.point import Point
    from pytest_llem.runs.settings import RunSettings

Settings = dict[str, str | float | bool | None]


def planned_experiments(
    points: Iterable[Point], settings: RunSettings, *, of_pytest: bool
) -> list[PlannedExperiment]:
    """The valid ones of *points*, in their order."""
    return [_planned(point, settings, of_pytest) for point in points if point.config is not None]


def _planned(point: Point, settings: RunSettings, of_pytest: bool) -> PlannedExperiment:
    assert point.config is not None  # noqa: S101 - the caller looked
    config = point.config.model_dump(mode="json", exclude_defaults=True)
    own = dict(point.own_arguments)
    processes = settings.processes(point.repeats)
    return PlannedExperiment(
        experiment_id=f"{point.group}-{point.identity}",
        label=point.label,
        config_hash=point.identity,
        node_id=point.node_id if of_pytest else None,
        fingerprint=digest({"config": config, "own": own} if own else config),
        repeats=None if processes == settings.repeats else processes,
        config=config,
    )


def settings_kept(settings: RunSettings) -> Settings:
    """What of *settings* decides on figures, and has to be as it was where a run goes on."""
    return {
        "profile": settings.profile,
        "meter": settings.meter,
        "cpu_watts": settings.cpu_watts,
        "isolation": settings.isolation,
        "allow_shared": settings.allow_shared,
    }


def sources_of(points: Sequence[Point], project: Path) -> dict[str, str]:
    """SHA-256 of the test files of *points* and of the ``conftest.py`` beside and above them."""
    files = {Path(point.group.partition("::")[0]) for point in points}
    above = {parent / "conftest.py" for file in files for parent in file.parents}
    found = {}
    for path in sorted(files | above):
        try:
            content = (project / path).read_bytes()
        except (OSError, ValueError):
            continue  # an experiment of the library has no file
        found[path.as_posix()] = hashlib.sha256(content).hexdigest()
    return found
