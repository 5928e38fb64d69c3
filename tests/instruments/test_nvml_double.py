"""The double against the truth: C and Python integrate the same curves by other formulas."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instruments.cards import A100
from instruments.course import Course, Step, pulses
from instruments.curves import Constant, Curve, Sine, Square
from instruments.faults import READINGS, Reset, Spike, Stall, Zero
from instruments.nvml_double import Gpu, compiler, library, nvml_double, run_json, run_python
from instruments.refresh import Refresh
from instruments.strategies import INSTANTS_NS, PERIODS_NS, curves, refreshes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")

MS = 1_000_000
SCRIPT = "LLEM_TEST_NVML_DOUBLE"


@contextmanager
def opened(folder: Path, gpu: Gpu) -> Iterator[ctypes.CDLL]:
    """The double in this process, by its path: nothing else here can come to load it."""
    environ = nvml_double(folder, [gpu])
    double = ctypes.CDLL(str(library()))
    double.llem_double_counter_mj.restype = ctypes.c_uint64
    double.llem_double_counter_mj.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_power_mw.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_instant_mw.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_temperature_c.restype = ctypes.c_double
    double.llem_double_temperature_c.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_slowed_ns.restype = ctypes.c_int64
    double.llem_double_slowed_ns.argtypes = (
        ctypes.c_uint,
        ctypes.c_uint64,
        ctypes.c_int64,
        ctypes.c_int64,
    )
    double.llem_double_energy_mj.restype = ctypes.c_double
    double.llem_double_energy_mj.argtypes = (ctypes.c_uint, ctypes.c_int64, ctypes.c_int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SCRIPT, environ[SCRIPT])
        assert double.nvmlInitWithFlags(0) == 0
        try:
            yield double
        finally:
            assert double.nvmlShutdown() == 0


in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@in_one_folder
@given(curve=curves(), start_ns=INSTANTS_NS, length_ns=st.integers(0, 10**13))
def test_both_integrals_agree(tmp_path: Path, curve: Curve, start_ns: int, length_ns: int) -> None:
    with opened(tmp_path, Gpu(curve=curve)) as double:
        energy_mj = double.llem_double_energy_mj(0, start_ns, start_ns + length_ns)
    truth_j = curve.energy_j(start_ns, start_ns + length_ns)
    assert energy_mj / 1000 == pytest.approx(truth_j, rel=1e-9, abs=1e-9)


@in_one_folder
@given(
    curve=curves(),
    counter=refreshes(),
    step_mj=st.sampled_from([1, 10, 1000]),
    instants_ns=st.lists(INSTANTS_NS, min_size=1, max_size=20),
)
def test_the_counter_shows_the_integral_up_to_its_last_refresh(
    tmp_path: Path, curve: Curve, counter: Refresh, step_mj: int, instants_ns: list[int]
) -> None:
    gpu = Gpu(curve=curve, counter=counter, counter_resolution_mj=step_mj, counter_start_mj=10**13)
    with opened(tmp_path, gpu) as double:
        shown = [double.llem_double_counter_mj(0, t_ns) for t_ns in instants_ns]
    for t_ns, value in zip(instants_ns, shown, strict=True):
        steps = curve.energy_j(0, counter.last(t_ns)) * 1000 / step_mj
        if abs(steps - round(steps)) > 1e-3:  # a step's edge may round either way
            assert value == gpu.counter_mj(t_ns)
        assert abs(value - gpu.counter_mj(t_ns)) <= step_mj


@st.composite
def powers(draw: st.DrawFn) -> Gpu:
    refresh, window_ns = draw(refreshes()), draw(st.just(0) | PERIODS_NS)
    return Gpu(
        curve=draw(curves()),
        power=refresh,
        power_window_ns=window_ns,
        power_gain=draw(st.floats(0.9, 1.1)),
        power_resolution_mw=draw(st.sampled_from([1, 100, 1000])),
        instant=refresh,
        instant_window_ns=0,
    )


@in_one_folder
@given(gpu=powers(), t_ns=INSTANTS_NS)
def test_power_fields_show_the_mean_of_their_window_to_a_step(
    tmp_path: Path, gpu: Gpu, t_ns: int
) -> None:
    with opened(tmp_path, gpu) as double:
        power_mw = double.llem_double_power_mw(0, t_ns)
        instant_mw = double.llem_double_instant_mw(0, t_ns)
    end_ns, half_w = gpu.power.last(t_ns), gpu.power_resolution_mw / 2000
    mean_w = gpu.power_gain * gpu.curve.mean_w(end_ns - gpu.power_window_ns, end_ns)
    assert power_mw % gpu.power_resolution_mw == 0
    assert power_mw / 1000 == pytest.approx(mean_w, rel=1e-6, abs=1.02 * half_w)
    assert gpu.power_w(t_ns) == pytest.approx(mean_w)
    assert instant_mw / 1000 == pytest.approx(gpu.curve.power_w(end_ns), abs=0.00051)


@in_one_folder
@given(curve=curves(), lag_ns=st.integers(1_000_000, 10**10), t_ns=INSTANTS_NS)
def test_a_power_field_may_lag_behind(tmp_path: Path, curve: Curve, lag_ns: int, t_ns: int) -> None:
    gpu = Gpu(curve=curve, instant=Refresh(), instant_lag_ns=lag_ns)
    with opened(tmp_path, gpu) as double:
        instant_mw = double.llem_double_instant_mw(0, t_ns)
    assert instant_mw / 1000 == pytest.approx(gpu.instant_w(t_ns), rel=1e-6, abs=0.00051)


@st.composite
def samplers(draw: st.DrawFn) -> Gpu:
    refresh = draw(refreshes())
    from_ns = draw(st.integers(0, 10**15))
    return Gpu(
        curve=draw(curves()),
        origin_ns=from_ns - 10**9,
        counter=refresh,
        counter_window_ns=max(int(draw(st.floats(0.01, 1.0)) * refresh.period_ns), 1),
        counter_gain=draw(st.floats(0.9, 1.1)),
        sampled_from_ns=from_ns,
        counter_start_mj=10**12,
    )


@in_one_folder
@given(gpu=samplers(), periods=st.lists(st.floats(-3.0, 80.0), min_size=1, max_size=10))
def test_a_counter_that_samples_counts_what_it_saw_for_the_whole_refresh(
    tmp_path: Path, gpu: Gpu, periods: list[float]
) -> None:
    instants_ns = [gpu.sampled_from_ns + int(n * gpu.counter.period_ns) for n in periods]
    with opened(tmp_path, gpu) as double:
        shown = [double.llem_double_counter_mj(0, t_ns) for t_ns in instants_ns]
    for t_ns, value in zip(instants_ns, shown, strict=True):
        assert value == pytest.approx(gpu.counter_mj(t_ns), rel=1e-9, abs=1)


def test_a_sampling_counter_misses_a_load_in_step_with_it(tmp_path: Path) -> None:
    """The error that 25 of 100 ms may make: all of the load, or four times it."""
    load = Square(low_w=100.0, high_w=500.0, period_ns=100 * MS, duty=0.25)
    for phase_ns, mean_w in [(0, 100.0), (25 * MS, 500.0)]:
        gpu = A100.gpu(
            load,
            sampling=True,
            counter=Refresh(period_ns=100 * MS, phase_ns=phase_ns),
            sampled_from_ns=0,
        )
        with opened(tmp_path, gpu) as double:
            start_mj, end_mj = (double.llem_double_counter_mj(0, t * 1000 * MS) for t in (1, 11))
        assert end_mj - start_mj == mean_w * 10_000
    assert load.mean_w(0, 100 * MS) == 200.0


BASE_NS = 10**14
RESETS = st.builds(Reset, at_ns=st.integers(BASE_NS, BASE_NS + 10**11), to_mj=st.integers(0, 10**6))


@in_one_folder
@given(
    gpu=st.builds(
        Gpu,
        curve=curves(),
        origin_ns=st.just(BASE_NS),
        counter=refreshes(),
        counter_start_mj=st.integers(0, 10**12),
        counter_modulus_mj=st.just(0) | st.integers(1000, 10**12),
        faults=st.lists(RESETS, max_size=3, unique_by=lambda reset: reset.at_ns).map(tuple),
    ),
    offsets_ns=st.lists(st.integers(0, 10**11), min_size=1, max_size=10),
)
def test_resets_and_wraps_are_those_of_the_script(
    tmp_path: Path, gpu: Gpu, offsets_ns: list[int]
) -> None:
    with opened(tmp_path, gpu) as double:
        shown = [double.llem_double_counter_mj(0, BASE_NS + t) for t in offsets_ns]
    modulus_mj = gpu.counter_modulus_mj
    for t_ns, value in zip(offsets_ns, shown, strict=True):
        away = abs(value - gpu.counter_mj(BASE_NS + t_ns))
        assert min(away, abs(modulus_mj - away)) <= 1 + 1e-9 * value
        assert not modulus_mj or value < modulus_mj


@st.composite
def wrongs(draw: st.DrawFn) -> tuple[Any, ...]:
    """A stall, a stretch of zeros, and a spike of every reading, at any time."""
    begins = [draw(st.integers(0, 10**10)) for _ in range(3)]
    spans: list[dict[str, Any]] = [
        {"start_ns": begin, "end_ns": begin + draw(st.integers(1, 10**10))} for begin in begins
    ]
    by = draw(st.integers(-(10**6), 10**6))
    spikes = (Spike(call=call, by=by, **spans[2]) for call in READINGS)
    return Stall(**spans[0]), Zero(**spans[1]), *spikes


@in_one_folder
@given(
    gpu=st.builds(Gpu, curve=curves(), faults=wrongs()),
    instants_ns=st.lists(st.integers(0, 2 * 10**10), min_size=1, max_size=20),
)
def test_readings_stall_spike_and_vanish_when_the_script_says(
    tmp_path: Path, gpu: Gpu, instants_ns: list[int]
) -> None:
    with opened(tmp_path, gpu) as double:
        for t_ns in instants_ns:
            counter_mj = double.llem_double_counter_mj(0, t_ns)
            power_mw = double.llem_double_power_mw(0, t_ns)
            instant_mw = double.llem_double_instant_mw(0, t_ns)
            assert counter_mj == pytest.approx(gpu.counter_shown_mj(t_ns), rel=1e-9, abs=1)
            assert power_mw == pytest.approx(gpu.power_shown_mw(t_ns), rel=1e-6, abs=1)
            assert instant_mw == pytest.approx(gpu.instant_shown_mw(t_ns), rel=1e-6, abs=1)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    gaps = draw(st.lists(st.integers(0, 10**10), max_size=5))
    over_ns = st.just(0) | st.integers(1, 2 * 10**10)
    steps = [
        Step(sum(gaps[: i + 1]), draw(st.integers(20, 100)), draw(over_ns))
        for i in range(len(gaps))
    ]
    return Course(draw(st.integers(20, 100)), tuple(steps))


@in_one_folder
@given(temperature=courses(), instants_ns=st.lists(st.integers(0, 10**11), min_size=1))
def test_values_follow_their_course(
    tmp_path: Path, temperature: Course, instants_ns: list[int]
) -> None:
    with opened(tmp_path, Gpu(curve=Constant(1.0), temperature_c=temperature)) as double:
        for t_ns in instants_ns:
            assert double.llem_double_temperature_c(0, t_ns) == pytest.approx(temperature.at(t_ns))


@in_one_folder
@given(
    ends_ns=st.lists(st.integers(0, 10**10), min_size=4, max_size=4, unique=True).map(sorted),
    start_ns=st.integers(0, 10**10),
    length_ns=st.integers(0, 10**10),
)
def test_the_time_that_a_gpu_was_slowed_adds_up(
    tmp_path: Path, ends_ns: list[int], start_ns: int, length_ns: int
) -> None:
    a, b, c, d = ends_ns
    gpu = Gpu(
        curve=Constant(1.0), throttle=pulses(4, 0x44, (a, b)), violation=pulses(0, 0x40, (c, d))
    )
    with opened(tmp_path, gpu) as double:
        slowed_ns = double.llem_double_slowed_ns(0, 0x40, start_ns, start_ns + length_ns)
    assert slowed_ns == gpu.slowed_ns(0x40, start_ns, start_ns + length_ns)


@given(refreshes(), INSTANTS_NS)
def test_a_refresh_is_the_latest_of_all_that_have_been(refresh: Refresh, t_ns: int) -> None:
    last_ns = refresh.last(t_ns)
    assert last_ns <= t_ns
    if refresh.period_ns:
        k = (t_ns - refresh.phase_ns) // refresh.period_ns
        past = [refresh.instant(j) for j in range(k - 3, k + 3) if refresh.instant(j) <= t_ns]
        assert last_ns == max(past)


def test_pynvml_reads_the_double_through_the_loader(tmp_path: Path) -> None:
    gpu = Gpu(curve=Constant(321.0), uuid="GPU-one", counter=Refresh(period_ns=5 * MS))
    other = Gpu(curve=Sine(middle_w=200.0, amplitude_w=50.0, period_ns=MS), uuid="GPU-two")
    answer = run_json(
        """
import json, time, pynvml as n
n.nvmlInit()
h = n.nvmlDeviceGetHandleByUUID("GPU-one")
before = time.monotonic_ns()
mj = n.nvmlDeviceGetTotalEnergyConsumption(h)
after = time.monotonic_ns()
fields = n.nvmlDeviceGetFieldValues(h, [n.NVML_FI_DEV_POWER_INSTANT, 83, 1])
print(json.dumps({
    "count": n.nvmlDeviceGetCount(), "before": before, "mj": mj, "after": after,
    "second": n.nvmlDeviceGetUUID(n.nvmlDeviceGetHandleByIndex(1)),
    "instant_mw": fields[0].value.uiVal, "field_83": fields[1].value.ullVal,
    "codes": [f.nvmlReturn for f in fields],
}))
""",
        nvml_double(tmp_path, [gpu, other]),
    )
    assert answer["count"] == 2
    assert answer["second"] == "GPU-two"
    assert gpu.counter_mj(answer["before"]) <= answer["mj"] <= gpu.counter_mj(answer["after"])
    assert answer["instant_mw"] == 321_000
    assert answer["field_83"] >= answer["mj"]
    assert answer["codes"] == [0, 0, 3]


def test_calls_take_as_long_as_scripted_and_hold_their_middle(tmp_path: Path) -> None:
    gpu = Gpu(curve=Constant(1000.0), counter=Refresh(), delay_us=20_000)
    before, mj, after = run_json(
        """
import json, time, pynvml as n
n.nvmlInit()
h = n.nvmlDeviceGetHandleByIndex(0)
before = time.monotonic_ns()
mj = n.nvmlDeviceGetTotalEnergyConsumption(h)
print(json.dumps([before, mj, time.monotonic_ns()]))
""",
        nvml_double(tmp_path, [gpu]),
    )
    held_ns = mj * 1000  # at 1000 W a microsecond is a millijoule
    assert before + 10 * MS <= held_ns + 1000
    assert held_ns <= after - 10 * MS


def test_without_a_script_there_is_no_driver(tmp_path: Path) -> None:
    environ = nvml_double(tmp_path, []) | {SCRIPT: str(tmp_path / "missing")}
    done = run_python("import pynvml; pynvml.nvmlInit()", environ)
    assert "NVMLError_DriverNotLoaded" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("temprature_c 40", "no such statement about a GPU: temprature_c"),
        ("temperature_c warm", "not a whole number: warm"),
        ("temperature_c 40 50", "more words than expected: 50"),
        ("set temperature_c 40 at=5", "not a time (such as 100ms): 5"),
        ("set name other at=5s", "not a course: name"),
        ("curve spiral 5", "no such curve: spiral"),
        ("curve sine 5 1 shift=0s", "a curve without a length: sine 5 1 shift=0s"),
        ("curve pieces 5ms", "not a piece (length:start_w:end_w:tau): 5ms"),
        ("lost form=5s", "no such option here: form=5s"),
        ("zero counter every=0", "every= has to be 1 or more: counter every=0"),
        ("reset to_mj=5", "a reset needs at=: to_mj=5"),
        ("slow", "there is something missing: how long"),
        ("process somebody", "not a whole number: somebody"),
    ],
)
def test_a_misspelt_script_is_refused_with_its_line(
    tmp_path: Path, wrong: str, reason: str
) -> None:
    environ = nvml_double(tmp_path, [Gpu(curve=Constant(1.0), uuid="GPU-one")])
    script = Path(environ[SCRIPT])
    number = len(script.read_text(encoding="utf-8").splitlines()) + 2
    environ.add("GPU-one", wrong)
    done = run_python("import pynvml; pynvml.nvmlInit()", environ)
    assert f"nvml_double: {script}:{number}: {reason}\n" in done.stderr
    assert "NVMLError_InvalidArgument" in done.stderr


def test_the_library_is_compiled_once_per_source(tmp_path: Path) -> None:
    first = library(tmp_path)
    stamp = first.stat().st_mtime_ns
    assert library(tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    assert first.name == "libnvidia-ml.so.1"


def test_a_square_reaches_the_process_as_it_was_written(tmp_path: Path) -> None:
    square = Square(low_w=90.0, high_w=350.0, period_ns=10**9, duty=0.2, origin_ns=123_456_789)
    with opened(tmp_path, Gpu(curve=square, instant=Refresh(), instant_window_ns=0)) as double:
        edge_ns = 123_456_789 + 200 * MS
        assert double.llem_double_instant_mw(0, edge_ns - 1) == 350_000
        assert double.llem_double_instant_mw(0, edge_ns) == 90_000
