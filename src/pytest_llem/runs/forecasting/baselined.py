"""Baselines of the same experiments, for those that no run here has measured."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from pytest_llem.errors import BaselineError
from pytest_llem.plan.outlook import Forecast
from pytest_llem.plan.schedule import Passes, schedule_of
from pytest_llem.runs.forecasting.earlier import energy_over

if TYPE_CHECKING:
    from pytest_llem.baselines.file import BaselineSession
    from pytest_llem.baselines.store import Baselines
    from pytest_llem.plan.point import Point


def forecast(
    point: Point, baselines: Baselines, hardware: str | None, weights_bytes: float | None
) -> Forecast | None:
    """What the baseline of *point* lets expect; ``None`` if there is none of this hardware.

    Args:
        point: the experiment.
        baselines: where to look.
        hardware: class of the hardware that it would run on; ``None`` is unknown.
        weights_bytes: of its model; ``None`` is unknown.
    """
    if hardware is None:
        return None
    try:
        entry = baselines.entry(point.group, point.identity, hardware)
    except BaselineError:
        return None
    if entry is None or point.config is None:
        return None
    session = entry.sessions[-1]
    name = next(iter(session.measurements))
    whole_s = _middle(session, name, "duration_s")
    if whole_s is None:
        return None
    passes = Passes(whole_s, _middle(session, name, "prefill.duration_s"))
    schedule = schedule_of(point.config, passes, weights_bytes)
    power_w, idle_w = (_middle(session, name, metric) for metric in ("power_w", "idle.power_w"))
    energy_j = energy_over(power_w, idle_w, schedule.active_s, schedule.wall_s)
    return Forecast("baseline", f"baseline of {hardware}", schedule.wall_s, energy_j)


def _middle(session: BaselineSession, measurement: str, metric: str) -> float | None:
    values = [value for sample in session.samples(measurement, metric) for value in sample.values]
    return median(values) if values else None
