"""The checks of ``make gpu-check``, on simulated cards whose answer is known."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu import cost, duty, effect, random_model, tick
from gpu.bursts import burst, square
from gpu.findings import CannotRunError, quantile, ratio_interval, variation
from gpu.recording import Recorder
from gpu.report import write_traces
from instruments.curves import Constant, Sine, Sum
from instruments.loaded_card import LoadedCard
from instruments.nvml_double import Gpu, nvml_double, run_json
from instruments.recordings import MS, SECOND, Sensor, VirtualClock
from pytest_llem.results.parquet import read_parquet

if TYPE_CHECKING:
    from pathlib import Path

REST = Sum((Constant(110.0), Sine(middle_w=0.0, amplitude_w=2.0, period_ns=730_000_000)))
"""A card that does nothing, but not quite evenly."""
A_PART = 25 * MS


def sensor(counter_window_ns: int = 0, averaging_ns: int = A_PART, seed: int = 0) -> Sensor:
    rng = random.Random(seed)  # noqa: S311 - a simulation
    return Sensor(
        refresh_ns=100 * MS,
        phase_ns=rng.randrange(100 * MS),
        power_phase_ns=rng.randrange(100 * MS),
        jitter_ns=50_000,
        counter_window_ns=counter_window_ns,
        averaging_ns=averaging_ns,
    )


def under_bursts(
    card: LoadedCard, *, shifts: int = 8, repeats: int = 2, periods: int = 13
) -> duty.Finding:
    recorder = Recorder(card.meter, card.device, card.clock, card.clock.sleep)
    return duty.duty(
        recorder,
        card.load,
        recorder.new_trace(),
        100.0 * MS,
        shifts=shifts,
        repeats=repeats,
        periods=periods,
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_counter_that_sees_all_of_the_time_is_recognised(seed: int) -> None:
    found = under_bursts(LoadedCard.of(sensor(0, seed=seed), REST, 400.0, seed))
    assert found.outcome == "found"
    assert "sees all of the time" in found.verdict
    low, high = found.figures["counter"]["share_of_time_seen_95"]
    assert low > 0.8
    assert high == pytest.approx(1.0, abs=0.05)
    assert found.figures["power_reading"]["share_of_time_seen"] == pytest.approx(0.25, abs=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_a_counter_that_sees_a_quarter_of_the_time_is_recognised(seed: int) -> None:
    found = under_bursts(LoadedCard.of(sensor(A_PART, seed=seed), REST, 400.0, seed))
    assert found.outcome == "found"
    assert "sees only a part" in found.verdict
    low, high = found.figures["counter"]["share_of_time_seen_95"]
    assert low < 0.25 + 0.05
    assert high < 0.45


def test_a_power_reading_that_sees_all_does_not_hide_what_the_counter_sees() -> None:
    whole = under_bursts(LoadedCard.of(sensor(0, 100 * MS), REST, 400.0))
    part = under_bursts(LoadedCard.of(sensor(A_PART, 100 * MS), REST, 400.0))
    assert whole.figures["power_reading"]["share_of_time_seen"] > 0.85
    assert "sees all of the time" in whole.verdict
    assert "sees only a part" in part.verdict


def test_half_of_the_time_is_neither() -> None:
    found = under_bursts(LoadedCard.of(sensor(50 * MS), REST, 400.0))
    assert found.outcome == "undecided"
    assert found.figures["counter"]["share_of_time_seen"] == pytest.approx(0.5, abs=0.1)


def test_a_load_that_the_card_does_not_feel_tells_nothing() -> None:
    found = under_bursts(LoadedCard.of(sensor(), REST, 5.0), shifts=4)
    assert found.outcome == "undecided"
    assert "bursts raise the power only" in found.verdict


def test_a_card_without_a_counter_is_not_judged() -> None:
    silent = Sensor(quantum_j=None)
    with pytest.raises(CannotRunError, match="not seen to refresh"):
        under_bursts(LoadedCard.of(silent, REST, 400.0))


@given(st.floats(0.01, 0.99))
def test_what_is_kept_of_the_harmonic_tells_the_share_of_time(share: float) -> None:
    kept = math.sin(math.pi * share) / (math.pi * share)
    assert duty.looked_at(kept) == pytest.approx(share, abs=1e-6)


def test_the_interval_of_the_harmonic_covers_it() -> None:
    """Over noise alone of known size, around a harmonic of known size."""
    rng = random.Random(1)  # noqa: S311 - a simulation
    shifts = [number / 8 for number in range(8)] * 3
    own_w = 100.0 * 4 * 2 / math.pi * math.sin(math.pi / 4)
    inside = 0
    for _ in range(400):
        powers = [200 + 0.5 * own_w * math.cos(math.tau * s) + rng.gauss(0, 15) for s in shifts]
        found = duty.harmonic(shifts, powers, 100.0, 0.25)
        scale = (sum(powers) / len(powers) - 100) / 100
        inside += found.low <= 0.5 / scale <= found.high
    assert inside >= 0.92 * 400


def test_tick_and_step_are_those_of_the_card() -> None:
    card = LoadedCard.of(
        Sensor(refresh_ns=20 * MS, power_refresh_ns=100 * MS, quantum_j=0.01), REST, 400.0
    )
    recorder = Recorder(card.meter, card.device, card.clock, card.clock.sleep)
    found = tick.tick(recorder, card.load, recorder.new_trace(), 3.0)
    counter, power = (found.figures["busy"][name] for name in ("counter", "power"))
    assert counter["period_ms"] == pytest.approx(20.0, rel=1e-3)
    assert counter["step_j"]["p50"] == pytest.approx(510 * 0.02, rel=0.02)
    assert counter["quantum_mj"] % 10 == 0
    assert power["period_ms"] == pytest.approx(100.0, rel=1e-3)
    assert found.figures["idle"]["counter"]["step_j"]["p50"] == pytest.approx(2.2, rel=0.05)


def test_a_counter_that_stands_still_is_undecided() -> None:
    card = LoadedCard.of(Sensor(refresh_ns=60 * SECOND), REST, 400.0)
    recorder = Recorder(card.meter, card.device, card.clock, card.clock.sleep)
    found = tick.tick(recorder, card.load, recorder.new_trace(), 1.0)
    assert found.outcome == "undecided"
    assert found.figures["busy"]["counter"] is None


@dataclass
class QueuedKernels:
    """A device that works on what was queued, in virtual time."""

    clock: VirtualClock
    real_ns: int
    each_ns: float
    queue: list[int] = field(default_factory=list)
    free_ns: int = 0
    busy_ns: int = 0

    def launch(self) -> None:
        self.clock.advance(10_000)
        self.free_ns = max(self.free_ns, self.clock()) + self.real_ns
        self.busy_ns += self.real_ns
        self.queue.append(self.free_ns)

    def wait_oldest(self) -> None:
        self.clock.now_ns = max(self.clock(), self.queue.pop(0))


@settings(deadline=None)
@given(real_ns=st.integers(100_000, 1_500_000), wrong=st.floats(0.8, 1.25))
def test_a_burst_lasts_as_long_as_asked_to_within_a_kernel(real_ns: int, wrong: float) -> None:
    """Also where kernels have become slower or faster than they were when they were timed."""
    clock = VirtualClock(late_ns=0)
    kernels = QueuedKernels(clock, real_ns, real_ns * wrong)
    start_ns = clock()
    begun, ended = burst(kernels, start_ns + 25 * MS, clock)
    assert begun == start_ns
    assert not kernels.queue
    assert abs(ended - start_ns - 25 * MS) <= 1.5 * real_ns + 50_000
    assert kernels.busy_ns > 0.9 * (ended - start_ns) - real_ns


def test_a_square_load_is_busy_a_quarter_of_the_time_and_idle_between() -> None:
    clock = VirtualClock()
    kernels = QueuedKernels(clock, 400_000, 400_000)

    def now() -> int:
        clock.advance(200)  # looking at the clock takes a moment, or spinning would never end
        return clock()

    begin_ns = clock() + 50 * MS
    bursts = square(
        kernels,
        start_ns=begin_ns,
        period_ns=100.0 * MS,
        on_ns=25 * MS,
        count=20,
        clock=now,
        sleep=clock.sleep,
    )
    for number, (start_ns, end_ns) in enumerate(bursts):
        assert start_ns - (begin_ns + number * 100 * MS) == pytest.approx(0, abs=MS)
        assert end_ns - start_ns == pytest.approx(25 * MS, abs=MS)
    assert kernels.busy_ns == pytest.approx(20 * 25 * MS, rel=0.03)


def served(
    slower_when_on: float, blocks: int = 60
) -> tuple[list[effect.Span], list[effect.Served]]:
    """Passes of about 10 ms back to back, in blocks with sampling off and on by turns."""
    rng = random.Random(2)  # noqa: S311 - a simulation
    spans, passes, now = [], [], 0
    for number in range(blocks):
        on = number % 4 in {1, 2}
        start_ns = now
        while now < start_ns + 200 * MS:
            took_ns = round(10 * MS * rng.gauss(1, 0.01) * (slower_when_on if on else 1))
            passes.append((now, now + took_ns, 4))
            now += took_ns
        spans.append((start_ns, now, on))
    return spans, passes


def test_sampling_that_costs_nothing_is_shown_to() -> None:
    found = effect.judged(*served(1.0))
    assert found.outcome == "found"
    assert found.figures["ratio_95"][0] >= 0.995
    assert found.figures["pairs"] == 30


def test_sampling_that_costs_two_percent_is_found_out() -> None:
    found = effect.judged(*served(1.02))
    assert found.outcome == "missed"
    assert found.figures["ratio"] == pytest.approx(1 / 1.02, abs=0.002)
    assert found.fails


def test_too_few_blocks_with_a_whole_pass_are_not_judged() -> None:
    spans, _ = served(1.0)
    with pytest.raises(CannotRunError, match="only 0 pairs"):
        effect.judged(spans, [(0, 10**12, 4)])


def test_the_cost_of_a_call_is_what_it_took() -> None:
    clock = VirtualClock()
    took_us = iter([*range(1, 101)])
    found = cost.cost({"counter": lambda: clock.advance(next(took_us) * 1000)}, 100, clock)
    one = found.figures["counter"]
    assert one["p50_us"] == pytest.approx(50.5)
    assert one["p99_us"] == pytest.approx(99.01)
    assert one["max_us"] == 100


def test_only_calls_that_the_driver_answers_are_timed(tmp_path: Path) -> None:
    code = """
import json
from gpu.__main__ import driver_calls
from pytest_llem.devices.nvml.meter import NvmlMeter
meter = NvmlMeter()
print(json.dumps(list(driver_calls(meter, meter.discover()[0]))))
"""
    known = run_json(code, nvml_double(tmp_path, [Gpu(curve=Constant(300.0))]))
    assert known == ["counter", "instant power", "average power", "a reading", "facts"]
    lacking = Gpu(curve=Constant(300.0), unsupported=("instant",))
    assert run_json(code, nvml_double(tmp_path, [lacking])) == [
        "counter",
        "average power",
        "a reading",
        "facts",
    ]


def test_a_variation_has_the_interval_of_chi_squared() -> None:
    own, low, high = variation([100, 101, 99, 102, 98, 100, 101, 99, 100, 100])
    assert own == pytest.approx(0.0115, rel=0.01)
    assert low / own == pytest.approx(0.688, abs=0.001)
    assert high / own == pytest.approx(1.826, abs=0.001)


@given(st.lists(st.floats(1, 100), min_size=1, max_size=20))
def test_quantiles_lie_within_the_values(values: list[float]) -> None:
    assert quantile(values, 0) == min(values)
    assert quantile(values, 1) == max(values)
    assert min(values) <= quantile(values, 0.5) <= max(values)


def test_a_ratio_is_that_of_rates_and_not_of_their_differences() -> None:
    mean, low, high = ratio_interval([(2, 1), (1, 2), (4, 2), (2, 4)])
    assert mean == pytest.approx(1.0)
    assert low < 1 < high


SMALL = random_model.Recipe(64, 96, 2, 4, 2, 2048)


def test_the_random_model_has_a_billion_parameters() -> None:
    assert random_model.Recipe().parameters == pytest.approx(1.1e9, rel=0.01)


def test_the_random_model_is_the_same_each_time_and_another_with_another_seed(
    tmp_path: Path,
) -> None:
    digests = [
        hashlib.sha256(
            (random_model.write(recipe, tmp_path / str(i)) / "model.safetensors").read_bytes()
        ).hexdigest()
        for i, recipe in enumerate([SMALL, SMALL, replace(SMALL, seed=1)])
    ]
    assert digests[0] == digests[1] != digests[2]


def test_the_random_model_loads_and_computes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = random_model.write(SMALL, tmp_path / "model")
    model, report = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.num_parameters() == SMALL.parameters
    with torch.inference_mode():
        logits = model(torch.arange(16)[None]).logits
    assert torch.isfinite(logits).all()
    assert 0.1 < float(logits.std()) < 10


def test_traces_that_are_too_large_are_thinned(tmp_path: Path) -> None:
    card = LoadedCard.of(sensor(), REST, 400.0)
    recorder = Recorder(card.meter, card.device, card.clock, card.clock.sleep)
    trace = recorder.new_trace()
    recorder.record_for(trace, 5.0, MS)
    write_traces(tmp_path, [trace], most_bytes=40_000)
    (kept,) = read_parquet(tmp_path, "instrument").traces
    assert 100 < len(kept) < len(trace) / 1.9
    assert kept.before_ns[0] == trace.before_ns[0]
