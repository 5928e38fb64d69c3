"""Studies in files: their points, and what is known of them before they run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.study_file import read_study
from pytest_llem.errors import ConfigError
from pytest_llem.plan.backends import Backends
from pytest_llem.plan.document import plan_document
from pytest_llem.plan.overrides import overrides_of
from pytest_llem.plan.stream import StudyPoints
from pytest_llem.runs.configuration import known_engines
from pytest_llem.runs.preview import outlook_of
from pytest_llem.runs.standing import standing_here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.plan.document import Plan
    from pytest_llem.runs.settings import RunSettings


def study_points(
    path: Path | str,
    model: str | None = None,
    backend: str | None = None,
    overrides: Sequence[str] = (),
    profile: str | None = None,
) -> StudyPoints:
    """The points of the study in a file, made one after another when they are asked for.

    They are those that pytest collects from it, under the same names.

    Args:
        path: a study file (``bench/quant.llem.yaml``).
        model: model of every experiment.
        backend: engine, or several with commas between, which multiply.
        overrides: ``FIELD=VALUE`` for every experiment.
        profile: system profile; ``None`` is as configured or detected.

    Raises:
        ConfigError: it is no study, one line a problem; or it cannot be as asked.
    """
    path = _below_here(Path(path))
    try:
        study = read_study(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.") from None
    asked = overrides_of([backend] if backend else [], model, overrides)
    backends = Backends(known_engines)
    if (problem := backends.first_problem(asked.backends)) is not None:
        raise ConfigError(str(problem))
    standing = standing_here(profile=profile).layers
    return StudyPoints(study, path, standing, asked, backends.problem)


def plan_study(
    points: StudyPoints,
    *,
    repeats: int | None = None,
    device_memory: str | None = None,
    profile: str | None = None,
    settings: RunSettings | None = None,
) -> Plan:
    """What is known of a study's points before they run: memory, time, energy, baselines.

    All of them are held; :func:`~pytest_llem.plan.stream.tally` counts studies of any size.

    Args:
        points: of a study.
        repeats: processes of each; ``None`` is as the study says.
        device_memory: ``SIZE`` or ``NAME:SIZE`` of devices that are not here.
        profile: system profile, whose devices they are where nothing else is said; ``None`` is as
            configured or detected.
        settings: how it would be run.

    Raises:
        ConfigError: *device_memory* has no size, or there is no such profile.
        BaselineError: baselines cannot be read.
    """
    from pytest_llem.runs.library import default_settings

    settings = settings or default_settings()
    outlook = outlook_of(settings, device_memory, standing_here(settings.project, profile))
    return plan_document({points.group: list(points)}, outlook, repeats)


def _below_here(path: Path) -> Path:
    """As pytest names it where the current directory is its root."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
