"""The double against the truth: C and Python integrate the same curves by other formulas."""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instruments.curves import Constant, Curve, Sine, Square
from instruments.nvml_double import Gpu, compiler, library, nvml_double, run_json, run_python
from instruments.refresh import Refresh
from instruments.strategies import INSTANTS_NS, PERIODS_NS, curves

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler (cc)")

MS = 1_000_000
SCRIPT = "LLEM_NVML_DOUBLE"


@contextmanager
def opened(folder: Path, gpu: Gpu) -> Iterator[ctypes.CDLL]:
    """The double in this process, by its path: nothing else here can come to load it."""
    environ = nvml_double(folder, [gpu])
    double = ctypes.CDLL(str(library()))
    double.llem_double_counter_mj.restype = ctypes.c_uint64
    double.llem_double_counter_mj.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_power_mw.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_instant_mw.argtypes = (ctypes.c_uint, ctypes.c_int64)
    double.llem_double_energy_mj.restype = ctypes.c_double
    double.llem_double_energy_mj.argtypes = (ctypes.c_uint, ctypes.c_int64, ctypes.c_int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SCRIPT, environ[SCRIPT])
        assert double.nvmlInitWithFlags(0) == 0
        try:
            yield double
        finally:
            assert double.nvmlShutdown() == 0


@st.composite
def refreshes(draw: st.DrawFn) -> Refresh:
    period_ns = draw(st.just(0) | PERIODS_NS)
    return Refresh(
        period_ns=period_ns,
        phase_ns=draw(st.integers(min_value=0, max_value=10**10)),
        jitter_ns=draw(st.integers(min_value=0, max_value=max(period_ns - 1, 0))),
        seed=draw(st.integers(min_value=0, max_value=2**63)),
    )


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


@in_one_folder
@given(
    curve=curves(),
    refresh=refreshes(),
    window_ns=st.just(0) | PERIODS_NS,
    t_ns=INSTANTS_NS,
)
def test_power_fields_show_the_mean_of_their_window(
    tmp_path: Path, curve: Curve, refresh: Refresh, window_ns: int, t_ns: int
) -> None:
    gpu = Gpu(
        curve=curve,
        power=refresh,
        power_window_ns=window_ns,
        instant=refresh,
        instant_window_ns=0,
    )
    with opened(tmp_path, gpu) as double:
        power_mw = double.llem_double_power_mw(0, t_ns)
        instant_mw = double.llem_double_instant_mw(0, t_ns)
    assert power_mw / 1000 == pytest.approx(gpu.power_w(t_ns), rel=1e-6, abs=0.00051)
    assert instant_mw / 1000 == pytest.approx(curve.power_w(refresh.last(t_ns)), abs=0.00051)


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


def test_a_misspelt_script_is_refused_with_its_line(tmp_path: Path) -> None:
    environ = nvml_double(tmp_path, [Gpu(curve=Constant(1.0))])
    with Path(environ[SCRIPT]).open("a", encoding="utf-8") as script:
        script.write("temprature_c 40\n")
    done = run_python("import pynvml; pynvml.nvmlInit()", environ)
    assert "cannot read" in done.stderr
    assert "temprature_c 40" in done.stderr


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
