"""Reading devices: often enough while somebody measures, seldom otherwise, whatever fails."""

from __future__ import annotations

import math
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from instruments.curves import Constant
from instruments.recordings import MS, Sensor, recorded
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.energy.estimator.refreshes.refresh import observe
from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.sampling.sampler import Sampler
from pytest_llem.energy.sampling.samplers import Samplers
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = 1_000_000_000


class FakeMeter:
    """Reads whatever it is told, at no time at all."""

    name = "fake"

    def __init__(self, clock: FakeClock, *, continuous: bool = False) -> None:
        self._clock, self._continuous = clock, continuous
        self.broken: dict[str, Exception] = {}

    def discover(self) -> list[Device]:
        capability = Capability("gpu", "counter", 0.001, None)
        return [Device(f"GPU-{i}", "fake", capability) for i in range(2)]

    def read(self, device: Device) -> Reading:
        if device.uuid in self.broken:
            raise self.broken[device.uuid]
        now = self._clock()
        refreshed = now if self._continuous else now - now % 100_000_000
        return Reading(now, now + 1000, 100 * refreshed / SECOND, None)

    def facts(self, device: Device) -> Facts:
        return Facts(self._clock(), temperature_c=50.0)

    def close(self) -> None: ...


class FakeClock:
    def __init__(self) -> None:
        self.now_ns = 1000 * SECOND

    def __call__(self) -> int:
        return self.now_ns


def drive(sampler: Sampler, clock: FakeClock, seconds: float) -> None:
    until = clock.now_ns + round(seconds * SECOND)
    while clock.now_ns < until:
        clock.now_ns = max(sampler.step(), clock.now_ns + 1000)


def fake(*, continuous: bool = False, devices: int = 1) -> tuple[Sampler, FakeClock, FakeMeter]:
    clock = FakeClock()
    meter = FakeMeter(clock, continuous=continuous)
    return Sampler(meter, meter.discover()[:devices], clock=clock), clock, meter


def attend(sampler: Sampler, *, on: bool) -> None:
    sampler.attend(on)
    sampler.obey()


def test_it_reads_often_while_attending_and_seldom_at_rest() -> None:
    sampler, clock, _ = fake()
    drive(sampler, clock, 10)
    resting = len(sampler.traces[0]) / 10
    attend(sampler, on=True)
    drive(sampler, clock, 10)
    attending = len(sampler.traces[0]) / 10 - resting
    assert 5 <= resting < attending
    assert 20 <= attending <= 150


def test_refreshes_are_bracketed_closely_once_their_period_is_known() -> None:
    sampler, clock, _ = fake()
    attend(sampler, on=True)
    drive(sampler, clock, 10)
    trace = sampler.traces[0]
    assert sampler.refresh_period_s(trace.device) == pytest.approx(0.1, rel=0.02)
    late = [
        trace.after_ns[i] - trace.before_ns[i - 1]
        for i in range(1, len(trace))
        if trace.energy_j[i] != trace.energy_j[i - 1] and trace.before_ns[i] > clock() - 5 * SECOND
    ]
    assert len(late) >= 40
    assert sorted(late)[len(late) // 2] < 5_000_000


def test_no_load_can_stay_in_step_with_which_of_many_refreshes_are_chased() -> None:
    trace = recorded(Constant(300.0), Sensor(refresh_ns=20 * MS, phase_ns=3 * MS), seconds=20)
    late = slice(len(trace) // 4, None)  # the period is known by then
    seen = observe(trace.before_ns[late], trace.after_ns[late], trace.energy_j[late])
    chased_ns = [refresh.middle_ns for refresh in seen if refresh.width_ns < 3 * MS]
    strides = [round((b - a) / (20 * MS)) for a, b in pairwise(chased_ns)]
    assert 2 < sum(strides) / len(strides) < 3
    for rhythm in range(1, 6):
        alike = sum(a == b for a, b in zip(strides, strides[rhythm:], strict=False))
        assert alike < 0.9 * len(strides)


def test_a_counter_that_runs_continuously_is_not_chased() -> None:
    sampler, clock, _ = fake(continuous=True)
    attend(sampler, on=True)
    drive(sampler, clock, 10)
    assert 20 <= len(sampler.traces[0]) / 10 <= 40


def test_facts_are_read_about_every_second() -> None:
    sampler, clock, _ = fake()
    drive(sampler, clock, 10)
    assert 9 <= len(sampler.traces[0].facts) <= 12


@pytest.mark.parametrize("error", [MeterError("GPU-0 is lost"), RuntimeError("driver fault")])
def test_a_device_that_fails_is_left_alone_and_named(error: Exception) -> None:
    sampler, clock, meter = fake(devices=2)
    drive(sampler, clock, 1)
    meter.broken["GPU-0"] = error
    drive(sampler, clock, 5)
    lost, alive = sampler.traces
    assert len(alive) > 2 * len(lost)
    assert isinstance(sampler.failure, MeterError)
    assert "GPU-0" in str(sampler.failure)
    assert sampler.settled_after(clock() - SECOND)


def test_a_loss_is_named_in_the_windows_that_it_touches_and_in_no_other() -> None:
    sampler, clock, meter = fake(devices=1)
    attend(sampler, on=True)
    drive(sampler, clock, 5)
    lost_ns = clock()
    meter.broken["GPU-0"] = MeterError("GPU-0 is lost")
    drive(sampler, clock, 0.3)
    del meter.broken["GPU-0"]
    drive(sampler, clock, 8)
    (trace,) = sampler.traces
    said = {}
    for start_s in (-2, -1, 1.5, 3):
        start_ns = lost_ns + round(start_s * SECOND)
        window = estimate_window(trace, start_ns, start_ns + (3 if start_s == -1 else 1) * SECOND)
        assert window.valid
        said[start_s] = [text for text in window.warnings if "GPU-0 is lost" in text]
    assert said[-2] == said[1.5] == said[3] == []
    assert said[-1] == [
        "it could not be read for 1.00 s, from 1.00 s into the window on: GPU-0 is lost"
    ]
    (before,) = trace.until(lost_ns + SECOND // 2).losses
    assert before.end_ns is None
    assert (trace.until(lost_ns - SECOND).losses, trace.until(lost_ns - SECOND).loss) == ([], "")


def test_settled_means_refreshed_beyond_the_instant() -> None:
    sampler, clock, _ = fake()
    attend(sampler, on=True)
    drive(sampler, clock, 2)
    edge_ns = clock()
    assert not sampler.settled_after(edge_ns)
    drive(sampler, clock, 0.05)
    assert not sampler.settled_after(edge_ns)
    drive(sampler, clock, 0.4)
    assert sampler.settled_after(edge_ns)


def test_power_is_told_from_the_counter_where_nothing_else_is_known() -> None:
    sampler, clock, _ = fake(continuous=True, devices=2)
    assert sampler.latest_power_w() is None
    drive(sampler, clock, 3)
    assert sampler.latest_power_w() == pytest.approx(200, rel=0.02)


def test_all_devices_have_been_read_until_then() -> None:
    sampler, clock, _ = fake(devices=2)
    assert sampler.read_until_ns() is None
    drive(sampler, clock, 1)
    until_ns = sampler.read_until_ns()
    assert until_ns == min(trace.after_ns[-1] for trace in sampler.traces)


def test_the_thread_starts_and_stops_whenever_asked() -> None:
    meter = FakeMeter(FakeClock(), continuous=True)
    meter._clock = time.monotonic_ns  # type: ignore[assignment]
    sampler = Sampler(meter, meter.discover())
    sampler.stop()
    with sampler:
        sampler.start()
        sampler.attend(on=True)
        while not all(len(trace) > 3 for trace in sampler.traces):
            time.sleep(0.005)
    sampler.stop()
    counts = [len(trace) for trace in sampler.traces]
    time.sleep(0.1)
    assert counts == [len(trace) for trace in sampler.traces]


def test_slow_facts_do_not_starve_readings() -> None:
    sampler, clock, meter = fake()

    def slow(device: Device) -> Facts:
        del device
        clock.now_ns += 550_000_000
        return Facts(clock())

    meter.facts = slow  # type: ignore[method-assign]
    attend(sampler, on=True)
    drive(sampler, clock, 22)
    assert len(sampler.traces[0].facts) <= 11
    assert len(sampler.traces[0]) > 200


def test_settled_means_looked_at_for_disturbances_too() -> None:
    sampler, clock, _ = fake()
    attend(sampler, on=True)
    drive(sampler, clock, 2)
    facts = sampler.traces[0].facts
    edge_ns = facts[-1].time_ns
    while len(facts) and facts[-1].time_ns <= edge_ns:
        assert not sampler.settled_after(edge_ns)
        drive(sampler, clock, 0.02)
    drive(sampler, clock, 0.3)
    assert sampler.settled_after(edge_ns)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Sampler, threading.Event]]:
    """A sampler whose device does not answer its fourth reading before the event is set."""
    monkeypatch.setattr("pytest_llem.energy.sampling.sampler.HANGING_NS", 20_000_000)
    monkeypatch.setattr("pytest_llem.energy.sampling.sampler.STOP_S", 0.05)
    meter = FakeMeter(FakeClock(), continuous=True)
    meter._clock = time.monotonic_ns  # type: ignore[assignment]
    answered, read = threading.Event(), meter.read

    def slow(device: Device) -> Reading:
        if len(sampler.traces[0]) == 3:
            answered.wait()
        return read(device)

    meter.read = slow  # type: ignore[method-assign]
    sampler = Sampler(meter, meter.discover()[:1])
    sampler.attend(on=True)
    sampler.start()
    while not sampler.lost:
        time.sleep(0.005)
    yield sampler, answered
    answered.set()
    sampler.stop()


def test_a_call_that_does_not_come_back_is_a_lost_device_and_stops_nobody(
    hanging: tuple[Sampler, threading.Event],
) -> None:
    sampler, answered = hanging
    (trace,) = sampler.traces
    assert "the driver has not answered for" in trace.loss
    assert sampler.settled_after(time.monotonic_ns())
    assert sampler.read_until_ns() is None
    sampler.stop()
    assert sampler.hanging
    answered.set()
    while sampler.hanging:
        time.sleep(0.005)
    assert len(trace) == 3


def test_a_call_that_comes_back_late_is_no_loss_any_more(
    hanging: tuple[Sampler, threading.Event],
) -> None:
    sampler, answered = hanging
    answered.set()
    while sampler.lost:
        time.sleep(0.005)
    assert len(sampler.traces[0]) > 3
    sampler.stop()
    assert not sampler.hanging


def test_facts_that_cannot_be_asked_are_unknown_and_lose_no_device(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sampler, clock, meter = fake()

    def failing(device: Device) -> Facts:
        raise LookupError(f"the driver of {device.uuid} is too old")

    meter.facts = failing  # type: ignore[method-assign]
    drive(sampler, clock, 5)
    (trace,) = sampler.traces
    assert (sampler.lost, sampler.failure, trace.loss) == (False, None, "")
    assert len(trace) > 20
    assert len(trace.facts) >= 5
    assert {fact.temperature_c for fact in trace.facts} == {None}
    (said,) = caplog.messages
    assert "LookupError: the driver of GPU-0 is too old" in said


def test_facts_that_are_no_numbers_are_unknown() -> None:
    sampler, clock, meter = fake()

    def odd(device: Device) -> Facts:
        del device
        return Facts(clock(), math.nan, 1980, math.inf)

    meter.facts = odd  # type: ignore[method-assign]
    drive(sampler, clock, 2)
    seen = {(f.temperature_c, f.sm_clock_mhz, f.power_limit_w) for f in sampler.traces[0].facts}
    assert seen == {(None, 1980, None)}


def test_drawing_processes_are_those_of_others() -> None:
    clock = FakeClock()
    meter = FakeMeter(clock)

    def drawn_on(device: Device) -> Facts:
        del device
        return Facts(clock(), processes=(7, 8), graphics_processes=(7, 9))

    meter.facts = drawn_on  # type: ignore[method-assign]
    sampler = Sampler(meter, meter.discover()[:1], clock=clock, own_processes=lambda: {7})
    drive(sampler, clock, 1)
    fact = sampler.traces[0].facts[0]
    assert (fact.foreign_processes, fact.graphics_processes) == ((8,), (9,))


def test_a_lost_device_of_one_meter_does_not_hold_back_another() -> None:
    alive, clock, _ = fake()
    gone, other_clock, meter = fake()
    drive(gone, other_clock, 1)
    meter.broken["GPU-0"] = MeterError("GPU-0 is lost")
    drive(gone, other_clock, 2)
    drive(alive, clock, 3)
    both = Samplers([alive, gone])
    assert both.read_until_ns() == alive.traces[0].after_ns[-1]
