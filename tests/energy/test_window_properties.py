"""What holds for the energy of a window whoever estimates it, over random loads and sensors.

The loads are made of pieces (constant, straight, exponential, with jumps between), the
sensors are those of known cards, with gain, jitter, lag and coarse steps. Nothing here says
how close an estimate is; that is measured elsewhere.
"""

from __future__ import annotations

import math
import random
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from instruments.cards import CARDS
from instruments.curves import Constant, Pieces, Sum
from instruments.recordings import MS, SECOND, Sensor, edited, recorded, sensor_like
from instruments.strategies import loads
from pytest_llem.energy.estimator.window import WindowEnergy, estimate_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.curves import Curve
    from pytest_llem.energy.sampling.trace import Trace

START_NS = 1_000 * SECOND
"""When virtual time begins."""
RECORDED_S = 10
LEAST_W = 0.1
"""An estimator may take variation below this for noise, however much the load is scaled."""
SURE = 2.0
"""Times a 95 % interval: what random loads do not exceed."""
few = settings(max_examples=25)


@st.composite
def sensors(draw: st.DrawFn) -> Sensor:
    """A known card, or one with a fault or two of its own."""
    card = draw(st.sampled_from(CARDS))
    return sensor_like(
        card,
        random.Random(draw(st.integers(0, 10**6))),  # noqa: S311 - a simulation
        sampling=draw(st.booleans()),
        jitter_ns=draw(st.sampled_from([0.0, 0.0, 0.5 * MS, 4.0 * MS])),
        counter_gain=draw(st.floats(0.94, 1.11)),
        power_gain=draw(st.floats(0.94, 1.11)),
        quantum_j=draw(st.sampled_from([0.001, 0.001, 0.1, 1.0])),
        power_quantum_w=draw(st.sampled_from([0.001, 0.01, 1.0])),
        averaging_ns=draw(st.sampled_from([card.instant_window_ns, card.power_window_ns, None])),
        power_lag_ns=draw(st.sampled_from([0, 0, 100 * MS])),
        slow_share=draw(st.sampled_from([0.0, 0.01])),
    )


@dataclass(frozen=True)
class Recording:
    """A load under a sensor, as the sampler read it."""

    load: Pieces
    sensor: Sensor
    seed: int

    @property
    def trace(self) -> Trace:
        return self.under(self.load)

    def under(self, load: Curve) -> Trace:
        """What the same sensor, with the same luck, reads of another load."""
        trace = _record(load, self.sensor, self.seed)
        step = replace(trace.device.capability, resolution_j=self.sensor.quantum_j)
        return replace(trace, device=replace(trace.device, capability=step))


@lru_cache(maxsize=4)
def _record(load: Curve, sensor: Sensor, seed: int) -> Trace:
    return recorded(load, sensor, seconds=RECORDED_S, seed=seed)


RECORDINGS = st.builds(Recording, loads(), sensors(), st.integers(0, 1000))
WINDOWS = st.tuples(st.floats(2.5, 4.0), st.floats(0.1, 3.0)).map(
    lambda window: (at_ns(window[0]), at_ns(window[0] + window[1]))
)


def at_ns(seconds: float) -> int:
    return START_NS + round(seconds * SECOND)


def told(window: WindowEnergy) -> tuple[float, float]:
    """Energy and uncertainty of a window that has them."""
    assume(window.energy_j is not None)
    assert window.energy_j is not None
    assert window.uncertainty_j is not None
    return window.energy_j, window.uncertainty_j


@few
@given(RECORDINGS, WINDOWS)
def test_there_is_a_finite_energy_with_an_uncertainty_or_a_reason(
    recording: Recording, window: tuple[int, int]
) -> None:
    energy = estimate_window(recording.trace, *window)
    assert energy.valid == (energy.energy_j is not None) == (energy.uncertainty_j is not None)
    if energy.energy_j is None or energy.uncertainty_j is None:
        assert energy.warnings
        assert energy.power_w is None
        return
    for value in (energy.energy_j, energy.uncertainty_j, energy.power_w):
        assert value is not None
        assert math.isfinite(value)
        assert value > 0
    for value in (energy.counter_energy_j, energy.integrated_energy_j):
        assert value is None or math.isfinite(value)


@few
@given(RECORDINGS, WINDOWS)
def test_an_energy_lies_between_what_the_counter_showed_around_the_edges(
    recording: Recording, window: tuple[int, int]
) -> None:
    """At least what was shown for sure in between, at most that and the refreshes at the edges."""
    trace = recording.trace
    energy_j, uncertainty_j = told(estimate_window(trace, *window))
    (start_low_j, start_high_j), (end_low_j, end_high_j) = (around(trace, t) for t in window)
    step_j = recording.sensor.quantum_j or 0.0
    assert energy_j + uncertainty_j >= end_low_j - start_high_j - step_j
    assert energy_j - uncertainty_j <= end_high_j - start_low_j + step_j


def around(trace: Trace, t_ns: int) -> tuple[float, float]:
    """Between which values the energy at an instant lies: shown before, and two refreshes on."""
    before = trace.energy_j[bisect_right(trace.after_ns, t_ns) - 1]
    after = trace.energy_j[bisect_left(trace.before_ns, t_ns) :]
    refreshed = sorted({value for value in after if value > before})
    return before, refreshed[1]


@few
@given(RECORDINGS, st.tuples(st.floats(2.5, 4.0), st.floats(0.1, 2.0), st.floats(0.1, 2.0)))
def test_adjacent_windows_add_up_within_their_uncertainties(
    recording: Recording, cuts_s: tuple[float, float, float]
) -> None:
    a, b, c = (at_ns(sum(cuts_s[: i + 1])) for i in range(3))
    (left_j, left_u), (right_j, right_u), (whole_j, whole_u) = (
        told(estimate_window(recording.trace, *ends)) for ends in ((a, b), (b, c), (a, c))
    )
    assert abs(left_j + right_j - whole_j) <= SURE * (left_u + right_u + whole_u)


@few
@given(RECORDINGS, WINDOWS, st.floats(0.05, 2.0))
def test_a_longer_window_has_no_less_energy(
    recording: Recording, window: tuple[int, int], longer_s: float
) -> None:
    start_ns, end_ns = window
    energy_j, uncertainty_j = told(estimate_window(recording.trace, start_ns, end_ns))
    more_j, more_u = told(
        estimate_window(recording.trace, start_ns, end_ns + round(longer_s * SECOND))
    )
    assert more_j >= energy_j - SURE * (uncertainty_j + more_u)


@few
@given(RECORDINGS, WINDOWS, st.floats(1.0, 300.0))
def test_more_power_is_more_energy_by_as_much(
    recording: Recording, window: tuple[int, int], added_w: float
) -> None:
    plain_j, plain_u = told(estimate_window(recording.trace, *window))
    more = recording.under(Sum((recording.load, Constant(added_w))))
    more_j, more_u = told(estimate_window(more, *window))
    added_j = recording.sensor.counter_gain * added_w * (window[1] - window[0]) / SECOND
    assert more_j >= plain_j - SURE * (plain_u + more_u)
    assert more_j - plain_j == pytest.approx(added_j, abs=SURE * (plain_u + more_u))


@few
@given(RECORDINGS, WINDOWS, st.floats(0.1, 500.0))
def test_energy_added_far_from_the_edges_is_all_in_the_window(
    recording: Recording, window: tuple[int, int], added_j: float
) -> None:
    start_ns, end_ns = window
    plain_j, plain_u = told(estimate_window(recording.trace, start_ns, end_ns))
    assume(end_ns - start_ns > SECOND)
    middle_ns = (start_ns + end_ns) // 2
    burst = edited(recording.trace, energy_j=lambda t, value: value + added_j * (t > middle_ns))
    more_j, more_u = told(estimate_window(burst, start_ns, end_ns))
    assert more_j - plain_j == pytest.approx(added_j, abs=SURE * (plain_u + more_u))


def shifted(trace: Trace, by_ns: int) -> Trace:
    """The same, later."""
    return replace(
        trace,
        before_ns=array("q", (t + by_ns for t in trace.before_ns)),
        after_ns=array("q", (t + by_ns for t in trace.after_ns)),
        between_ns=array("q", (t + by_ns for t in trace.between_ns)),
    )


def same(one: WindowEnergy, other: WindowEnergy, factor: float = 1.0, rel: float = 1e-6) -> None:
    """Assert that energies and uncertainties agree but for a factor."""
    assert one.valid == other.valid
    for name in ("energy_j", "uncertainty_j", "counter_energy_j", "integrated_energy_j"):
        value, then = getattr(one, name), getattr(other, name)
        assert (value is None) == (then is None)
        if value is not None:
            assert then == pytest.approx(factor * value, rel=rel, abs=1e-6 * factor)


@few
@given(RECORDINGS, WINDOWS, st.integers(-(START_NS // 2), 10**15))
def test_the_time_of_day_does_not_matter(
    recording: Recording, window: tuple[int, int], by_ns: int
) -> None:
    start_ns, end_ns = window
    here = estimate_window(recording.trace, start_ns, end_ns)
    there = estimate_window(shifted(recording.trace, by_ns), start_ns + by_ns, end_ns + by_ns)
    same(here, there, rel=1e-4)  # nanoseconds of weeks of uptime have no place in a float


@few
@given(RECORDINGS, WINDOWS, st.floats(0.2, 0.5) | st.floats(1.5, 2.5))
def test_a_scaled_load_has_scaled_energy_and_uncertainty(
    recording: Recording, window: tuple[int, int], factor: float
) -> None:
    trace = recording.trace
    scaled = edited(
        trace, energy_j=lambda _, value: factor * value, power_w=lambda _, value: factor * value
    )
    step_j = (recording.sensor.quantum_j or 0.0) * factor
    capability = replace(trace.device.capability, resolution_j=step_j)
    scaled = replace(scaled, device=replace(trace.device, capability=capability))
    plain, more = (estimate_window(one, *window) for one in (trace, scaled))
    energy_j, uncertainty_j = told(plain)
    more_j, more_u = told(more)
    floor_j = LEAST_W * ((window[1] - window[0]) / SECOND + 1)  # and what lies around the window
    assert more_j == pytest.approx(factor * energy_j, abs=factor * uncertainty_j + more_u)
    assert more_u >= factor * uncertainty_j / 6 - floor_j
    assert more_u <= factor * uncertainty_j * 6 + floor_j


@few
@given(RECORDINGS, WINDOWS, st.floats(0, 1e7))
def test_where_the_counter_began_does_not_matter(
    recording: Recording, window: tuple[int, int], more_j: float
) -> None:
    # Sums that are larger round differently, which moves what is all but undecided a little.
    later = edited(recording.trace, energy_j=lambda _, value: value + more_j)
    same(estimate_window(recording.trace, *window), estimate_window(later, *window), rel=2e-2)


@few
@given(RECORDINGS, WINDOWS)
def test_readings_far_from_the_window_do_not_matter(
    recording: Recording, window: tuple[int, int]
) -> None:
    start_ns, end_ns = window
    near = edited(recording.trace, keep=lambda t: start_ns - 4 * SECOND < t < end_ns + 4 * SECOND)
    energy_j, uncertainty_j = told(estimate_window(recording.trace, start_ns, end_ns))
    near_j, near_u = told(estimate_window(near, start_ns, end_ns))
    assert near_j == pytest.approx(energy_j, abs=uncertainty_j + near_u)  # both hold the truth


def changes() -> st.SearchStrategy[Callable[[int, float], float | None]]:
    """What a driver may answer instead of the truth."""
    wrong = st.sampled_from([None, 0.0, -5.0, 1e12])
    return st.tuples(st.integers(1, 40), wrong).map(
        lambda found: lambda t, value: found[1] if t // MS % found[0] == 0 else value
    )


@few
@given(RECORDINGS, WINDOWS, changes(), changes())
def test_no_reading_whatever_it_says_ends_in_an_error_or_in_nonsense(
    recording: Recording,
    window: tuple[int, int],
    energy_j: Callable[[int, float], float | None],
    power_w: Callable[[int, float], float | None],
) -> None:
    broken = edited(recording.trace, energy_j=energy_j, power_w=power_w)
    energy = estimate_window(broken, *window)
    if energy.energy_j is None:
        assert energy.warnings
        assert not energy.valid
        return
    assert math.isfinite(energy.energy_j)
    assert energy.uncertainty_j is not None
    assert math.isfinite(energy.uncertainty_j)
