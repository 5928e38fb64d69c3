"""What idling devices draw: seen once, confirmed later, and never taken from a device at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instruments.curves import Constant, Piece, Pieces, Ramp, Square
from instruments.recordings import MS, SECOND, Sensor, Watch
from pytest_llem.devices.meter import Facts
from pytest_llem.energy.idle import IdleWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.curve import Curve
    from pytest_llem.energy.idle import Known
    from pytest_llem.energy.marks import Idle


def looked(
    curves: list[Curve],
    known: Known,
    least_s: float = 1.0,
    facts: Callable[[int], Facts] = Facts,
) -> tuple[Idle, float]:
    """What was found, and how long it took."""
    sensors = [Sensor(phase_ns=(37 + 13 * i) * MS) for i in range(len(curves))]
    scene = Watch.over(curves, sensors)
    scene.meter.facts_of = facts
    scene.run(0.2)
    idle = IdleWatch(scene.sampler, known, round(least_s * SECOND))
    since_ns = scene.clock()
    while not idle.done(since_ns, scene.clock()):
        scene.run(0.02)
    assert idle.found is not None
    return idle.found, (scene.clock() - since_ns) / SECOND


def test_all_devices_of_an_experiment_idle_together() -> None:
    found, _ = looked([Constant(61.0), Constant(75.0)], {})
    assert found.power_w == pytest.approx(136.0, rel=0.005)
    assert found.power_uncertainty_w is not None
    assert found.power_uncertainty_w < 3.0
    assert not found.confirmed


def test_what_is_known_is_confirmed_by_a_shorter_look() -> None:
    known: Known = {}
    first, long_s = looked([Constant(61.0)], known)
    again, short_s = looked([Constant(61.2)], known)
    assert short_s < long_s - 0.4
    assert again.confirmed
    assert again.power_w == first.power_w


@pytest.mark.parametrize("now_w", [60.0, 60.8, 61.3, 62.7])
def test_the_interval_of_what_was_confirmed_holds_what_is_drawn_now(now_w: float) -> None:
    known: Known = {}
    looked([Constant(61.0), Constant(61.0)], known)
    again, _ = looked([Constant(now_w), Constant(now_w)], known)
    assert again.confirmed
    assert again.power_w is not None
    assert again.power_uncertainty_w is not None
    assert abs(again.power_w - 2 * now_w) <= again.power_uncertainty_w
    assert again.power_uncertainty_w < 2 * abs(now_w - 61.0) + 0.5


def test_the_interval_holds_what_is_drawn_at_the_end_of_a_look_in_which_power_fell_a_little() -> (
    None
):
    fading = Ramp(start_w=64.0, end_w=60.0, duration_ns=3 * SECOND, origin_ns=1_000 * SECOND)
    found, took_s = looked([fading], {})
    assert found.power_w is not None
    assert found.power_uncertainty_w is not None
    end_w = fading.power_w(1_000 * SECOND + round((0.2 + 1.4) * SECOND))
    assert took_s > 1.4
    assert abs(found.power_w - end_w) <= found.power_uncertainty_w


def test_what_no_longer_holds_is_measured_anew() -> None:
    known: Known = {}
    looked([Constant(61.0)], known)
    found, _ = looked([Constant(90.0)], known)
    assert not found.confirmed
    assert found.power_w == pytest.approx(90.0, rel=0.01)
    (kept,) = known.values()
    assert kept == found


def test_each_device_is_remembered_by_itself() -> None:
    known: Known = {}
    _, long_s = looked([Constant(61.0), Constant(75.0)], known)
    assert {uuid: one.power_w for uuid, one in known.items()} == {
        "GPU-0": pytest.approx(61.0, rel=0.005),
        "GPU-1": pytest.approx(75.0, rel=0.005),
    }
    alone, short_s = looked([Constant(61.0)], known)
    assert alone.confirmed
    assert alone.power_w == pytest.approx(61.0, rel=0.005)
    assert short_s < long_s - 0.4


def test_only_the_device_that_changed_is_forgotten() -> None:
    known: Known = {}
    looked([Constant(61.0), Constant(75.0)], known)
    before = dict(known)
    found, _ = looked([Constant(61.0), Constant(99.0)], known)
    assert not found.confirmed
    assert found.power_w == pytest.approx(160.0, rel=0.01)
    assert known["GPU-1"] != before["GPU-1"]


def test_a_device_on_which_others_compute_does_not_idle() -> None:
    known: Known = {}
    found, _ = looked([Constant(250.0)], known, facts=lambda t: Facts(t, foreign_processes=(77,)))
    assert found.power_w is None
    assert "others meanwhile: 77" in found.reason
    assert known == {}


@pytest.mark.parametrize(
    "curve",
    [
        Ramp(start_w=300.0, end_w=70.0, duration_ns=3 * SECOND, origin_ns=1_000 * SECOND),
        Square(low_w=70.0, high_w=300.0, period_ns=1300 * MS),
        Pieces((Piece(900 * MS, 70.0), Piece(3 * SECOND, 250.0)), 1_000 * SECOND),
    ],
)
def test_a_device_at_work_does_not_idle(curve: Curve) -> None:
    known: Known = {}
    found, _ = looked([curve], known)
    assert found.power_w is None
    assert "power was not flat" in found.reason
    assert known == {}


@pytest.mark.parametrize("then_w", [61.0, 90.0])
def test_a_model_that_is_loaded_again_is_looked_at_again(then_w: float) -> None:
    curve = Pieces((Piece(5 * SECOND, 61.0), Piece(60 * SECOND, then_w)), 1_000 * SECOND)
    scene = Watch.over([curve], [Sensor(phase_ns=37 * MS)])
    scene.run(0.2)
    idle = IdleWatch(scene.sampler, {}, SECOND)
    for expected_w in (61.0, then_w):
        since_ns = scene.clock()
        while not idle.done(since_ns, scene.clock()):
            scene.run(0.02)
        assert idle.found is not None
        assert idle.found.power_w == pytest.approx(expected_w, rel=0.01)
        scene.run(8.0)
