"""Warming up on GPUs that settle, or do not, in real time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from instruments.course import Course, Step, pulses
from instruments.curves import Constant, Piece, Pieces, Square
from instruments.nvml_double import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.curve import Curve

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]
    Gpus = Callable[..., None]

pytestmark = pytest.mark.alone
SECOND = 1_000_000_000
HOUR_NS = 3600 * SECOND
SOURCE = """
import time, pytest

@pytest.mark.llem(
    measurement={{"windows": 2, "window_s": 0.5, "warmup_min_s": 0.2, "warmup_max_s": {limit_s}}}
)
def test_it(energy):
    energy.measure(lambda: time.sleep(0.05), work={{"requests": 1, "output_tokens": 5}})
"""


def warmed_up(run: Run, results: Results, limit_s: float) -> dict[str, Any]:
    """The warm-up of the only measurement, with its criteria by their names."""
    run(SOURCE.format(limit_s=limit_s)).assert_outcomes(passed=1)
    (result,) = results()
    (measurement,) = result["measurements"]
    warm_up: dict[str, Any] = measurement["warm_up"]
    found = {one["name"]: one for one in warm_up["criteria"]}
    told = any("not steady" in text for text in measurement["warnings"])
    assert told is not warm_up["converged"]
    return {**warm_up, "criteria": found}


def missed(warm_up: dict[str, Any]) -> list[str]:
    return [name for name, one in warm_up["criteria"].items() if one["holds"] is False]


def test_a_gpu_that_settles_is_waited_for(run: Run, results: Results, gpus: Gpus) -> None:

    rising = Pieces((Piece(6 * SECOND, 100.0, 400.0), Piece(HOUR_NS, 400.0)), time.monotonic_ns())
    gpus(Gpu(curve=rising))
    found = warmed_up(run, results, limit_s=25)
    assert found["converged"]
    assert {name: one["holds"] for name, one in found["criteria"].items()} == dict.fromkeys(
        ("latency", "power", "temperature", "throttling"), True
    )
    assert abs(found["criteria"]["power"]["value"]) <= 0.02
    (result,) = results()
    for window in result["measurements"][0]["windows"]:
        assert window["power_w"] == pytest.approx(400.0, rel=0.02)


def test_a_load_that_alternates_is_steady(run: Run, results: Results, gpus: Gpus) -> None:
    gpus(Gpu(curve=Square(low_w=200.0, high_w=600.0, period_ns=70_000_000)))
    found = warmed_up(run, results, limit_s=25)
    assert found["converged"]
    assert "power drifts by" in found["reason"]


def rising_power() -> Curve:
    return Pieces((Piece(60 * SECOND, 100.0, 700.0), Piece(HOUR_NS, 700.0)), time.monotonic_ns())


def test_power_that_goes_on_rising_is_named(run: Run, results: Results, gpus: Gpus) -> None:
    gpus(Gpu(curve=rising_power()))
    found = warmed_up(run, results, limit_s=3)
    assert not found["converged"]
    assert missed(found) == ["power"]
    assert found["criteria"]["power"]["value"] > found["criteria"]["power"]["limit"]
    assert found["reason"].startswith("not steady within 3.")
    assert "power drifts by +" in found["reason"]


def test_a_gpu_that_grows_warmer_is_named(run: Run, results: Results, gpus: Gpus) -> None:
    now_ns = time.monotonic_ns()
    warmer = Course(30.0, (Step(now_ns, 30.0), Step(now_ns + 1, 630.0, over_ns=60 * SECOND)))
    gpus(Gpu(curve=Constant(300.0), temperature_c=warmer))
    found = warmed_up(run, results, limit_s=3)
    assert missed(found) == ["temperature"]
    assert "temperature changed by " in found["reason"]


def test_a_gpu_that_is_throttled_again_and_again_is_named(
    run: Run, results: Results, gpus: Gpus
) -> None:
    now_ns = time.monotonic_ns()
    spans = [(now_ns + k * SECOND, now_ns + k * SECOND + SECOND // 3) for k in range(60)]
    gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa", throttle=pulses(0, 0x40, *spans)))
    found = warmed_up(run, results, limit_s=3)
    assert missed(found) == ["throttling"]
    assert "GPU-aaaa was slowed" in found["reason"]
    assert "hw_thermal_slowdown" in found["reason"]


def test_the_power_cap_is_how_a_card_is_meant_to_run(
    run: Run, results: Results, gpus: Gpus
) -> None:
    gpus(Gpu(curve=Constant(300.0), throttle=0x4))
    assert warmed_up(run, results, limit_s=25)["converged"]


def test_an_estimate_is_judged_by_its_passes(run: Run, results: Results) -> None:
    found = warmed_up(run, results, limit_s=25)
    held = {name: one["holds"] for name, one in found["criteria"].items()}
    assert held == {"latency": True, "power": None, "temperature": None, "throttling": None}
    assert found["converged"]
