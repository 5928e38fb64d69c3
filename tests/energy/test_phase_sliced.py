"""Windows cut where prefill ended, on simulated cards with exactly known energy."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruments.curves import Piece, Pieces
from instruments.recordings import MS, SECOND, Watch, edited, recorded, sensor_of
from pytest_llem.energy.derive import derive_measured
from pytest_llem.energy.marks import MeasurementMarks, Pass, WindowMark

if TYPE_CHECKING:
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.sampling.trace import Trace

START_NS = 1_000 * SECOND
FIRST_S = 4.0
"""When the first window begins, from the start of the recording."""
PREFILL_W, DECODE_W = 620.0, 330.0
REQUESTS, OUTPUT_TOKENS = 8, 65


class Serving:
    """Passes back to back, each a prefill at high power and a decode at low power."""

    def __init__(
        self, prefill_ms: int, decode_ms: int, *, passes: int = 1, windows: int = 3
    ) -> None:
        self.prefill_ns, self.decode_ns = prefill_ms * MS, decode_ms * MS
        self.passes, self.windows = passes, windows
        self.origin_ns = START_NS + round(FIRST_S * SECOND)
        self.load = Pieces(
            (Piece(self.prefill_ns, PREFILL_W), Piece(self.decode_ns, DECODE_W)), self.origin_ns
        )

    @property
    def seconds(self) -> float:
        """How long the recording has to be."""
        whole_ns = self.windows * self.passes * (self.prefill_ns + self.decode_ns)
        return FIRST_S + whole_ns / SECOND + 2

    def recorded(self, seed: int) -> Trace:
        sensor = sensor_of(random.Random(seed))  # noqa: S311 - a simulation
        return recorded(self.load, sensor, seconds=self.seconds, seed=seed)

    def marks(self, phases: Any = "sliced", **work: Any) -> MeasurementMarks:
        length_ns = self.passes * (self.prefill_ns + self.decode_ns)
        starts = [self.origin_ns + number * length_ns for number in range(self.windows + 1)]
        windows = tuple(
            WindowMark(
                phase="whole",
                index=index,
                start_ns=start_ns,
                end_ns=end_ns,
                passes=tuple(self._pass(start_ns, number, work) for number in range(self.passes)),
                output_length=OUTPUT_TOKENS,
            )
            for index, (start_ns, end_ns) in enumerate(pairwise(starts))
        )
        return MeasurementMarks(
            name="workload",
            kind="workload",
            warm_up=None,
            windows=windows,
            load_end_ns=starts[-1],
            phases=phases,
        )

    def _pass(self, window_ns: int, number: int, work: dict[str, Any]) -> Pass:
        start_ns = window_ns + number * (self.prefill_ns + self.decode_ns)
        known = {
            "first_token_ns": start_ns + self.prefill_ns,
            "prefill_end_ns": start_ns + self.prefill_ns,
            "batching": "static",
            "itl_s": self.decode_ns / 1e9 / (OUTPUT_TOKENS - 1),
            "requests": REQUESTS,
            "output_tokens": OUTPUT_TOKENS * REQUESTS,
        }
        return Pass(
            start_ns=start_ns,
            end_ns=start_ns + self.prefill_ns + self.decode_ns,
            input_tokens=100 * REQUESTS,
            **(known | work),
        )

    def measured(self, seed: int = 0, phases: Any = "sliced", **work: Any) -> Measured:
        return derive_measured(self.marks(phases, **work), [self.recorded(seed)])


@lru_cache(maxsize=8)
def long_phases(seed: int) -> tuple[Serving, Trace]:
    serving = Serving(3_537, 4_811)
    return serving, serving.recorded(seed)


def unresolved(measured: Measured) -> str:
    """Why nothing is known; energies of the phases are unknown then."""
    assert measured.valid
    assert measured.prefill.method == measured.decode.method == "unresolved"
    assert measured.prefill.energy_j is None
    assert measured.decode.energy_j is None
    return measured.prefill.reason


@given(
    st.integers(3_000, 5_000), st.integers(3_000, 5_000), st.integers(1, 2), st.integers(0, 1000)
)
@settings(max_examples=10, deadline=None)
def test_long_phases_are_cut_to_a_percent(
    prefill_ms: int, decode_ms: int, passes: int, seed: int
) -> None:
    measured = Serving(prefill_ms, decode_ms, passes=passes, windows=2).measured(seed)
    truth_j = PREFILL_W * prefill_ms / 1e3, DECODE_W * decode_ms / 1e3
    for phase, energy_j in zip((measured.prefill, measured.decode), truth_j, strict=True):
        assert phase.method == "sliced"
        assert phase.energy_j == pytest.approx(energy_j, rel=0.01)
        assert 0 < (phase.energy_uncertainty_j or 0) <= 0.1 * energy_j
    prefill, decode = measured.prefill, measured.decode
    assert prefill.duration_s == pytest.approx(prefill_ms / 1e3)
    assert (prefill.energy_j or 0) + (decode.energy_j or 0) == measured.energy_j
    assert (prefill.duration_s or 0) + (decode.duration_s or 0) == measured.duration_s


def test_intervals_hold_the_truth() -> None:
    held = []
    for seed in range(40):
        rng = random.Random(seed)  # noqa: S311 - a simulation
        serving = Serving(rng.randrange(3_000, 5_000), rng.randrange(3_000, 5_000))
        measured = serving.measured(seed)
        truth_j = PREFILL_W * serving.prefill_ns / 1e9, DECODE_W * serving.decode_ns / 1e9
        for phase, energy_j in zip((measured.prefill, measured.decode), truth_j, strict=True):
            assert phase.energy_j is not None
            assert phase.energy_uncertainty_j is not None
            held.append(abs(phase.energy_j - energy_j) <= phase.energy_uncertainty_j)
    assert sum(held) >= 0.93 * len(held)


def test_phases_of_some_ten_refreshes_are_known_or_refused_for_their_uncertainty() -> None:
    for seed in range(12):
        rng = random.Random(seed)  # noqa: S311 - a simulation
        serving = Serving(rng.randrange(1_050, 2_000), rng.randrange(1_050, 2_000))
        measured = serving.measured(seed)
        if measured.prefill.method == "unresolved":
            assert "not called known" in unresolved(measured)
            continue
        prefill_j = PREFILL_W * serving.prefill_ns / 1e9
        assert measured.prefill.energy_j == pytest.approx(prefill_j, rel=0.01)
        for phase in (measured.prefill, measured.decode):
            assert (phase.energy_uncertainty_j or 0) <= 0.1 * (phase.energy_j or 0)


@pytest.mark.parametrize(
    ("prefill_ms", "decode_ms"), [(20, 2_000), (2_000, 20), (400, 3_000), (900, 900)]
)
def test_short_phases_are_refused(prefill_ms: int, decode_ms: int) -> None:
    """A prefill of 20 ms is a fifth of a refresh."""
    reason = unresolved(Serving(prefill_ms, decode_ms).measured())
    assert f"lasts {min(prefill_ms, decode_ms) / 1e3:.3g} s" in reason
    assert "less than 10 refreshes of the counter (0.1 s each)" in reason


def test_auto_cuts_where_no_windows_were_run_for_the_phases() -> None:
    serving, trace = long_phases(0)
    measured = derive_measured(serving.marks("auto"), [trace])
    assert measured.prefill.method == "sliced"
    reason = unresolved(Serving(20, 2_000).measured(phases="auto"))
    assert "measurement.prefill_windows=0" in reason
    assert "shortest phase lasts" in reason


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        ({"prefill_end_ns": None}, "does not say when requests had their first tokens"),
        ({"batching": "continuous"}, "batches continuously"),
        ({"first_token_ns": START_NS}, "while others were in prefill"),
    ],
)
def test_what_overlaps_or_is_not_marked_is_never_cut(work: dict[str, Any], reason: str) -> None:
    serving, trace = long_phases(0)
    assert reason in unresolved(derive_measured(serving.marks(**work), [trace]))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prefill_end_ns": -SECOND}, "prefill ends 1 s before it begins"),
        ({"first_token_ns": 9 * SECOND, "prefill_end_ns": 9 * SECOND}, "after it has ended"),
        ({"first_token_ns": 4 * SECOND}, "after the last request had one"),
        ({"end_ns": -SECOND}, "ends no later than it begins"),
        ({"end_ns": 10 * SECOND}, "after the window"),
        ({"start_ns": -SECOND}, "before the window or the pass before"),
    ],
)
def test_marks_that_contradict_each_other_are_never_cut(
    changes: dict[str, int], reason: str
) -> None:
    """Changes are instants of the second window's pass, from its start."""
    serving, trace = long_phases(0)
    marks = serving.marks()
    first, second, *others = marks.windows
    at_ns = {name: second.start_ns + after_ns for name, after_ns in changes.items()}
    wrong = second.passes[0].model_copy(update=at_ns)
    spoilt = second.model_copy(update={"passes": (wrong,)})
    found = derive_measured(marks.model_copy(update={"windows": (first, spoilt, *others)}), [trace])
    said = unresolved(found)
    assert reason in said
    assert "Pass 0 of whole window 1" in said


def test_windows_without_passes_or_time_are_left_out_with_a_warning() -> None:
    serving, trace = long_phases(0)
    marks = serving.marks()
    first, second, third = marks.windows
    empty = first.model_copy(update={"passes": ()})
    short = second.model_copy(update={"end_ns": second.start_ns})
    spoilt = marks.model_copy(update={"windows": (empty, short, third)})
    found = derive_measured(spoilt, [trace])
    alone = derive_measured(marks.model_copy(update={"windows": (third,)}), [trace])
    assert [sample.valid for sample in found.windows] == [False, False, True]
    assert (found.energy_j, found.prefill) == (alone.energy_j, alone.prefill)
    assert found.prefill.method == "sliced"
    warnings = " ".join(found.warnings)
    assert "2 of 3 whole windows are invalid" in warnings
    assert "no pass of the workload ended in whole window 0" in warnings
    assert "whole window 1 ends 0 s before it begins" in warnings


def test_one_request_at_a_time_does_not_overlap_with_itself() -> None:
    serving, trace = long_phases(0)
    alone = {"requests": 1, "output_tokens": OUTPUT_TOKENS, "batching": "continuous"}
    assert derive_measured(serving.marks(**alone), [trace]).prefill.method == "sliced"


def test_power_that_averages_over_who_knows_what_is_not_cut() -> None:
    serving, trace = long_phases(0)
    only_power = edited(trace, energy_j=lambda _, _value: None)
    capability = replace(trace.device.capability, method="integrated")
    only_power = replace(only_power, device=replace(trace.device, capability=capability))
    assert "no energy counter" in unresolved(derive_measured(serving.marks(), [only_power]))


def test_devices_are_cut_alike_and_summed() -> None:
    serving = Serving(3_537, 4_811)
    sensors = [sensor_of(random.Random(seed)) for seed in range(2)]  # noqa: S311 - a simulation
    watch = Watch.over([serving.load, serving.load], sensors)
    watch.attend(serving.seconds)
    both = derive_measured(serving.marks(), watch.sampler.traces)
    assert both.prefill.energy_j == pytest.approx(2 * PREFILL_W * 3.537, rel=0.01)
    assert both.decode.energy_j == pytest.approx(2 * DECODE_W * 4.811, rel=0.01)


def test_readings_that_are_missing_at_a_cut_are_said() -> None:
    """Three seconds of silence in the middle of a window whose edges are known."""
    serving = Serving(4_000, 4_000, windows=2)
    cut_ns = serving.origin_ns + 4 * SECOND
    trace = edited(serving.recorded(0), keep=lambda t: abs(t - cut_ns) > 1.5 * SECOND)
    assert "missing where prefill ended" in unresolved(derive_measured(serving.marks(), [trace]))
