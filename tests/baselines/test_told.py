"""Metrics as they are told to others: with the interval that figures state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.baselines.told import told_metrics
from pytest_llem.energy.marks import Idle
from pytest_llem.energy.measured import Figures, TotalFigures

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.energy.measured import Measured


@pytest.mark.parametrize("processes", [1, 3])
def test_sums_and_idle_power_keep_the_interval_that_they_state(
    make_measurement: Callable[..., Measured], processes: int
) -> None:
    plain = make_measurement([0.4] * 3)
    figures = {name: getattr(plain, name) for name in Figures.model_fields}
    figures |= {"energy_j": 30.0, "energy_uncertainty_j": 3.0}
    total = TotalFigures(**figures, scopes=("gpu", "package"), meters=("nvml", "rapl"))
    idle = Idle(power_w=60.0, power_uncertainty_w=2.0, reason="flat")
    one = plain.model_copy(update={"total": total, "idle": idle})
    told = {each.metric.name: each.half_width for each in told_metrics([one] * processes)}
    assert told["total.energy_j"] == pytest.approx(3.0 / processes**0.5)
    assert told["idle.power_w"] == 2.0


@pytest.mark.parametrize("processes", [1, 4])
def test_power_has_the_interval_of_its_energy_where_nothing_scatters(
    make_measurement: Callable[..., Measured], processes: int
) -> None:
    plain = make_measurement([0.4] * 3)
    assert plain.energy_j is not None
    one = plain.model_copy(update={"energy_uncertainty_j": 0.01 * plain.energy_j})
    told = {each.metric.name: each for each in told_metrics([one] * processes)}
    energy, power = told["energy_j"], told["power_w"]
    assert energy.half_width is not None
    assert power.half_width is not None
    assert power.half_width / power.value == pytest.approx(0.01 / processes**0.5)
    assert energy.half_width / energy.value == pytest.approx(0.01 / processes**0.5)
