"""From marks and traces to the figures of a measurement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant, Square
from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.energy.derive import derive_measured
from pytest_llem.energy.figures import LONE_WINDOW
from pytest_llem.energy.marks import Idle, MeasurementMarks, Pass, WarmUp, WindowMark
from pytest_llem.energy.measured import Measured
from pytest_llem.energy.sampling.trace import UNPARTED, Trace
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.curves import Curve

MS = 1_000_000
SECOND = 1_000_000_000
ORIGIN = 100 * SECOND


def trace_of(
    curve: Curve,
    *,
    uuid: str = "GPU-0",
    until_s: float = 20,
    facts: Callable[[int], Facts] = Facts,
    method: Any = "counter",
) -> Trace:
    """An ideal instrument: a counter every 100 ms, polled every 10 ms."""
    device = Device(uuid, "simulated", Capability("gpu", method, 0.001, None))
    trace = Trace(device, "simulated")
    for t in range(ORIGIN, ORIGIN + round(until_s * SECOND), 10 * MS):
        trace.before_ns.append(t)
        trace.energy_j.append(curve.energy_j(0, t - t % (100 * MS)))
        trace.power_w.append(math.nan)
        trace.between_ns.append(UNPARTED)
        trace.after_ns.append(t + 50_000)
        if t % SECOND == 0:
            trace.facts.append(facts(t))
    return trace


def passes(start_ns: int, end_ns: int, count: int, **work: Any) -> tuple[Pass, ...]:
    step = (end_ns - start_ns) // count
    done = {"requests": 2, "input_tokens": 20, "output_tokens": 16, "finish_reasons": {"length": 2}}
    return tuple(
        Pass(start_ns=start_ns + i * step, end_ns=start_ns + (i + 1) * step, **(done | work))
        for i in range(count)
    )


def windows(
    phase: Any, first_s: float, count: int, per_window: int, **work: Any
) -> list[WindowMark]:
    """Windows of one second, back to back."""
    marks = []
    for index in range(count):
        start = ORIGIN + round((first_s + index) * SECOND)
        end = start + SECOND
        marks.append(
            WindowMark(
                phase=phase,
                index=index,
                start_ns=start,
                end_ns=end,
                passes=passes(start, end, per_window, **work),
            )
        )
    return marks


def marks_of(
    *groups: Sequence[WindowMark], kind: Any = "workload", **other: Any
) -> MeasurementMarks:
    merged = tuple(window for group in groups for window in group)
    defaults = {"warm_up": None, "load_end_ns": merged[-1].end_ns}
    return MeasurementMarks(name="workload", kind=kind, windows=merged, **(defaults | other))


WHOLE = windows("whole", 2, 5, 4)
PREFILL = windows("prefill", 9, 3, 20, output_tokens=2)


def test_figures_are_those_of_one_pass() -> None:
    measured = derive_measured(marks_of(WHOLE, PREFILL), [trace_of(Constant(300.0))])
    assert measured.valid
    assert measured.energy_j == pytest.approx(75.0, rel=1e-3)
    assert measured.duration_s == pytest.approx(0.25)
    assert measured.power_w == pytest.approx(300.0, rel=1e-3)
    assert (measured.requests, measured.input_tokens, measured.output_tokens) == (2, 20, 16)
    assert measured.energy_per_output_token_j == pytest.approx(75 / 16, rel=1e-3)
    assert measured.energy_per_request_j == pytest.approx(37.5, rel=1e-3)
    assert measured.output_tokens_per_s == pytest.approx(64)
    assert measured.steady_state_window == (WHOLE[0].start_ns, WHOLE[-1].end_ns)
    assert [window.passes for window in measured.samples()] == [4] * 5
    assert measured.windows[0].finish_reasons == {"length": 8}


def idling(power_w: float) -> Measured:
    idle = Idle(power_w=power_w, power_uncertainty_w=2.0, reason="over 1 s")
    return derive_measured(marks_of(WHOLE, idle=idle), [trace_of(Constant(300.0))])


@pytest.mark.parametrize("power_w", [60.0, 301.0])
def test_net_energy_is_what_lies_beyond_idling_for_as_long(power_w: float) -> None:
    measured = idling(power_w)
    assert measured.net_energy_j == pytest.approx((300 - power_w) / 4, rel=1e-3)
    gross_j = measured.energy_uncertainty_j or 0.0
    assert measured.net_energy_uncertainty_j == pytest.approx(math.hypot(gross_j, 0.5))
    assert not [text for text in measured.warnings if "idle" in text]


def test_devices_that_drew_more_before_than_under_the_load_did_not_idle() -> None:
    measured = idling(350.0)
    assert (measured.net_energy_j, measured.net_energy_uncertainty_j) == (None, None)
    assert measured.energy_j == pytest.approx(75.0, rel=1e-3)
    (said,) = (text for text in measured.warnings if "idle" in text)
    assert "drew 350.0 W while they idled and 300.0 W under the load" in said


def test_phases_add_up_to_the_whole() -> None:
    measured = derive_measured(marks_of(WHOLE, PREFILL), [trace_of(Constant(300.0))])
    prefill, decode = measured.prefill, measured.decode
    assert prefill.method == decode.method == "measured"
    for name in ("energy_j", "duration_s", "output_tokens"):
        parts = getattr(prefill, name) + getattr(decode, name)
        assert parts == pytest.approx(getattr(measured, name))
    assert prefill.energy_j == pytest.approx(15.0, rel=1e-2)
    assert decode.output_tokens == 14
    assert decode.energy_uncertainty_j == pytest.approx(
        math.hypot(measured.energy_uncertainty_j or 0, prefill.energy_uncertainty_j or 0)
    )


@pytest.mark.parametrize(
    ("groups", "kind", "reason"),
    [
        ([WHOLE], "workload", "no prefill-only windows"),
        ([WHOLE], "callable", "not the workload of a model"),
        ([WHOLE, windows("prefill", 9, 3, 4, output_tokens=2)], "workload", "lost in the noise"),
    ],
    ids=["none asked for", "callable", "prefill as dear as the whole"],
)
def test_phases_that_cannot_be_told_apart_say_why(groups: Any, kind: str, reason: str) -> None:
    measured = derive_measured(marks_of(*groups, kind=kind), [trace_of(Constant(300.0))])
    for phase in (measured.prefill, measured.decode):
        assert phase.method == "unresolved"
        assert reason in phase.reason
        assert phase.energy_j is None


def test_a_single_valid_window_warns_that_nothing_shows_how_windows_scatter() -> None:
    trace = trace_of(Constant(300.0), facts=slowed("sw_thermal_slowdown"))
    spoilt = derive_measured(marks_of(WHOLE[1:3], PREFILL), [trace])
    assert [window.valid for window in spoilt.samples()] == [True, False]
    assert LONE_WINDOW in spoilt.warnings
    asked = derive_measured(marks_of(WHOLE[:1], kind="callable"), [trace])
    assert LONE_WINDOW in asked.warnings
    assert asked.energy_uncertainty_j is not None


def test_several_windows_none_and_what_happens_once_do_not_warn_of_scatter() -> None:
    trace = trace_of(Constant(300.0), facts=slowed("sw_thermal_slowdown"))
    for marks in (
        marks_of(WHOLE),
        marks_of(WHOLE[2:3]),
        marks_of(WHOLE[:1], kind="window"),
    ):
        assert LONE_WINDOW not in derive_measured(marks, [trace]).warnings


def test_with_one_output_token_a_request_all_is_prefill() -> None:
    whole = windows("whole", 2, 3, 4, output_tokens=2)
    measured = derive_measured(marks_of(whole), [trace_of(Constant(300.0))])
    assert measured.prefill.energy_j == measured.energy_j
    assert measured.decode.method == "unresolved"


def test_what_took_another_effect_than_was_asked_is_a_warning() -> None:
    said = "dtype='float16' was asked for, but 'bfloat16' took effect"
    marks = marks_of(WHOLE).model_copy(update={"differences": (said,)})
    assert said in derive_measured(marks, [trace_of(Constant(300.0))]).warnings
    assert said not in derive_measured(marks_of(WHOLE), [trace_of(Constant(300.0))]).warnings


def test_devices_are_summed() -> None:
    traces = [trace_of(Constant(300.0), uuid="GPU-a"), trace_of(Constant(50.0), uuid="GPU-b")]
    measured = derive_measured(marks_of(WHOLE), traces)
    assert measured.power_w == pytest.approx(350, rel=1e-3)
    assert measured.devices == ("GPU-a", "GPU-b")


def test_devices_that_were_read_unlike_are_refused() -> None:
    traces = [trace_of(Constant(1.0)), trace_of(Constant(1.0), method="estimated")]
    with pytest.raises(MeterError, match="estimated"):
        derive_measured(marks_of(WHOLE), traces)
    with pytest.raises(MeterError):
        derive_measured(marks_of(WHOLE), [])


def slowed(reason: str) -> Callable[[int], Facts]:
    """The reason holds during the third window only."""

    def facts(t: int) -> Facts:
        inside = WHOLE[2].start_ns < t <= WHOLE[2].end_ns
        return Facts(t, temperature_c=60.0, throttle_reasons=(reason,) if inside else ())

    return facts


@pytest.mark.parametrize("reason", ["hw_thermal_slowdown", "sw_thermal_slowdown", "hw_slowdown"])
def test_a_throttled_window_is_left_out_and_named(reason: str) -> None:
    trace = trace_of(Constant(300.0), facts=slowed(reason))
    measured = derive_measured(marks_of(WHOLE), [trace])
    assert measured.valid
    invalid = [window for window in measured.windows if not window.valid]
    assert invalid
    assert len(invalid) < 5
    assert any(reason in warning and "GPU-0" in warning for warning in measured.warnings)
    assert any("invalid and left out" in warning for warning in measured.warnings)


@pytest.mark.parametrize("reason", ["sw_power_cap", "gpu_idle", "applications_clocks_setting"])
def test_how_a_card_is_meant_to_run_is_only_recorded(reason: str) -> None:
    trace = trace_of(Constant(300.0), facts=slowed(reason))
    measured = derive_measured(marks_of(WHOLE), [trace])
    assert all(window.valid for window in measured.windows)
    assert any(reason in (window.throttle_reasons or ()) for window in measured.windows)


def test_a_changed_power_limit_makes_a_window_invalid() -> None:
    change_ns = WHOLE[2].start_ns + 1

    def facts(t: int) -> Facts:
        return Facts(t, power_limit_w=700.0 if t < change_ns else 500.0)

    measured = derive_measured(marks_of(WHOLE), [trace_of(Constant(300.0), facts=facts)])
    assert [window.valid for window in measured.windows].count(False) == 1
    assert any("700 W to 500 W" in warning for warning in measured.warnings)


@pytest.mark.parametrize(
    ("then_w", "said"),
    [(700.0, "from 700 W to 350 W and back"), (500.0, "from 700 W to 350 W and to 500 W")],
)
def test_a_power_limit_that_changed_twice_in_a_window_is_told_with_what_it_was(
    then_w: float, said: str
) -> None:
    middle_ns = (WHOLE[2].start_ns + WHOLE[2].end_ns) // 2

    def fact(t: int) -> Facts:
        changed = abs(t - middle_ns) < 130 * MS
        return Facts(t, power_limit_w=350.0 if changed else 700.0 if t < middle_ns else then_w)

    trace = looked(trace_of(Constant(300.0)), fact)
    sample = derive_measured(marks_of(WHOLE), [trace]).windows[2]
    assert not sample.valid
    assert any(warning.endswith(said) for warning in sample.warnings)


LATE = WHOLE[2].end_ns - 80 * MS
"""Between the last look within the third window and its end."""


def looked(trace: Trace, fact: Callable[[int], Facts]) -> Trace:
    """The same trace, looked at every quarter of a second, never at an edge."""
    starts = range(ORIGIN - 100 * MS, ORIGIN + 20 * SECOND, 250 * MS)
    trace.facts[:] = [fact(t) for t in starts]
    return trace


@pytest.mark.parametrize(
    ("fact", "named"),
    [
        (lambda t: Facts(t, power_limit_w=700.0 if t < LATE else 500.0), "700 W to 500 W"),
        (lambda t: Facts(t, throttle_reasons=("hw_slowdown",) * (t >= LATE)), "hw_slowdown"),
        (lambda t: Facts(t, slowed_ns=30 * MS * (t >= LATE)), "slowed for 0.03 s"),
        (lambda t: Facts(t, foreign_processes=(7,) if t >= LATE else ()), "process 7"),
    ],
)
def test_what_begins_after_the_last_look_of_a_window_is_noticed(
    fact: Callable[[int], Facts], named: str
) -> None:
    measured = derive_measured(marks_of(WHOLE), [looked(trace_of(Constant(300.0)), fact)])
    assert [window.valid for window in measured.windows[:3]] == [True, True, False]
    assert any(named in warning for warning in measured.windows[2].warnings)


def test_a_look_long_after_a_window_says_nothing_of_it() -> None:
    trace = trace_of(Constant(300.0), facts=lambda t: Facts(t, throttle_reasons=()))
    trace.facts[:] = [
        Facts(WHOLE[0].start_ns, throttle_reasons=()),
        Facts(WHOLE[0].end_ns + 700 * MS, throttle_reasons=("hw_slowdown",)),
    ]
    assert derive_measured(marks_of(WHOLE[:1]), [trace]).windows[0].valid


def test_being_slowed_for_next_to_no_time_is_said_and_does_no_harm() -> None:
    trace = looked(trace_of(Constant(300.0)), lambda t: Facts(t, slowed_ns=900_000 * (t >= LATE)))
    sample = derive_measured(marks_of(WHOLE), [trace]).windows[2]
    assert sample.valid
    assert any("was slowed for 0.0009 s" in warning for warning in sample.warnings)


def test_processes_that_may_be_anybodys_are_named_and_do_no_harm() -> None:
    trace = looked(trace_of(Constant(300.0)), lambda t: Facts(t, processes=(41, 42)))
    measured = derive_measured(marks_of(WHOLE), [trace])
    assert all(window.valid for window in measured.windows)
    (warning,) = [text for text in measured.warnings if "41, 42" in text]
    assert "cannot be told" in warning


def test_a_window_in_which_every_reading_was_zero_says_so() -> None:
    trace = trace_of(Constant(300.0))
    for i, before_ns in enumerate(trace.before_ns):
        if WHOLE[1].start_ns - 50 * MS <= before_ns <= WHOLE[3].end_ns + 50 * MS:
            trace.energy_j[i] = math.nan
    measured = derive_measured(marks_of(WHOLE), [trace])
    for window in measured.windows[1:4]:
        assert (window.valid, window.energy_j) == (False, None)
        assert any("gave any energy but zero" in warning for warning in window.warnings)
    assert not any("any power" in warning for warning in measured.warnings)


def test_a_load_that_was_not_steady_is_said() -> None:
    warm_up = WarmUp(start_ns=0, end_ns=1, passes=3, converged=False, reason="drifted by 9 %")
    measured = derive_measured(marks_of(WHOLE, warm_up=warm_up), [trace_of(Constant(300.0))])
    assert measured.valid
    assert any("drifted by 9 %" in warning for warning in measured.warnings)


def test_without_declared_work_figures_per_token_are_unknown() -> None:
    unknown = {"requests": None, "input_tokens": None, "output_tokens": None, "finish_reasons": {}}
    whole = windows("whole", 2, 3, 4, **unknown)
    measured = derive_measured(marks_of(whole, kind="callable"), [trace_of(Constant(300.0))])
    assert measured.energy_j == pytest.approx(75.0, rel=1e-3)
    assert measured.energy_per_output_token_j is None
    assert measured.energy_per_request_j is None
    assert measured.output_tokens_per_s is None


def test_a_trace_that_went_on_gives_the_same_figures_again() -> None:
    curve = Square(low_w=100.0, high_w=500.0, period_ns=230 * MS)
    short, long = trace_of(curve, until_s=7.35), trace_of(curve, until_s=20)
    marks = marks_of(WHOLE, read_until_ns=short.after_ns[-1])
    assert derive_measured(marks, [short]) == derive_measured(marks, [long])
    unlimited = marks.model_copy(update={"read_until_ns": None})
    assert derive_measured(unlimited, [short]) != derive_measured(unlimited, [long])


def test_a_device_that_was_lost_is_named() -> None:
    trace = trace_of(Constant(300.0), uuid="GPU-dead", until_s=4)
    measured = derive_measured(marks_of(WHOLE), [trace])
    assert any("GPU-dead" in warning for warning in measured.warnings)
    assert not all(window.valid for window in measured.windows)
    gone = derive_measured(marks_of(WHOLE), [trace_of(Constant(300.0), until_s=0.5)])
    assert not gone.valid
    assert gone.energy_j is None


def test_figures_survive_json() -> None:
    measured = derive_measured(marks_of(WHOLE, PREFILL), [trace_of(Constant(300.0))])
    assert Measured.model_validate_json(measured.model_dump_json()) == measured


def test_a_display_on_the_gpu_is_named_and_does_no_harm() -> None:
    def fact(t: int) -> Facts:
        return Facts(t, processes=(), foreign_processes=(), graphics_processes=(4711,))

    measured = derive_measured(marks_of(WHOLE), [looked(trace_of(Constant(300.0)), fact)])
    assert all(window.valid for window in measured.windows)
    (warning,) = [text for text in measured.warnings if "4711" in text]
    assert "also drew for process 4711" in warning


@pytest.mark.parametrize(("processes", "said"), [(None, 1), ((), 0)])
def test_a_driver_that_tells_no_processes_is_said_once(
    processes: tuple[int, ...] | None, said: int
) -> None:
    trace = looked(
        trace_of(Constant(300.0)), lambda t: Facts(t, throttle_reasons=(), processes=processes)
    )
    measured = derive_measured(marks_of(WHOLE), [trace])
    assert all(window.valid for window in measured.windows)
    assert sum("those of others go unseen" in text for text in measured.warnings) == said
