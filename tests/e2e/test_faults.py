"""What goes wrong with a GPU while it is measured is named in the result, and ends no run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu
from instruments.tenants import Process, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.nvml_double import Driver

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]
    Gpus = Callable[..., Driver]

FAULT_AFTER = 28
"""Passes of 50 ms until something happens: the warm-up is out of time and the windows have begun."""
SOURCE = """
import re, time, pytest

passes = 0

def work():
    global passes
    passes += 1
    if passes == {after}:
        now = time.monotonic_ns() - {origin}
        with open({script!r}, "a") as script:
            later = lambda match: "%dns" % (now + int(match[1] or 0) * 1_000_000)
            script.write(re.sub(r"NOW([+]\\d+)?", later, {statement!r}))
    time.sleep(0.05)

@pytest.mark.llem(measurement={{"windows": {windows}, "window_s": {window_s}, "warmup_min_s": 0.3, "warmup_max_s": 1.0}})
def test_it(energy):
    energy.measure(work, work={{"requests": 1, "output_tokens": 5}}, name="load")

def test_after(energy): pass
"""


OWN_NUMBER = """
import os, pathlib, pytest

@pytest.fixture(autouse=True)
def own_number(request):
    if "energy" in request.fixturenames:
        pathlib.Path({file!r}).write_text(str(os.getpid()))
"""
"""Run by the measured process alone, so that the file has its number."""


def measured_through(
    run: Run, driver: Driver, uuid: str, statement: str, **length: float
) -> pytest.RunResult:
    """A run during which something is said about a GPU; ``NOW+100`` is 100 ms later."""
    source = SOURCE.format(
        **({"after": FAULT_AFTER, "windows": 4, "window_s": 0.6} | length),
        origin=driver.origin_ns,
        script=str(driver.script),
        statement=f"gpu {uuid}\n{statement}\n",
    )
    return run(source)


def measurement(results: Results) -> dict[str, Any]:
    (found,) = [one for result in results() for one in result["measurements"]]
    return dict(found)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("throttle 0x40", "GPU-aaaa was throttled: hw_thermal_slowdown"),
        ("throttle 0x80", "GPU-aaaa was throttled: hw_power_brake_slowdown"),
        ("power_limit_mw 350000", "power limit of GPU-aaaa changed from 700 W to 350 W"),
        ("spike counter 900000 from=NOW", "more than the device can use"),
        ("reset at=NOW", "the energy counter went backwards"),
        ("reset at=NOW to_mj=5000", "the energy counter went backwards"),
    ],
)
def test_a_disturbed_window_is_left_out_and_says_what_disturbed_it(
    run: Run, results: Results, gpus: Gpus, statement: str, named: str
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", statement).assert_outcomes(passed=2)
    found = measurement(results)
    assert [text for text in found["warnings"] if named in text]
    disturbed = [window for window in found["windows"] if not window["valid"]]
    assert disturbed
    assert all(window["warnings"] for window in disturbed)
    for window in found["windows"]:
        if window["valid"]:
            assert window["energy_j"] == pytest.approx(300 * window["duration_s"], rel=0.02)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("stall counter power instant from=NOW", "the energy counter"),
        ("error 999 counter from=NOW", "gave nothing new for the last"),
        ("zero counter from=NOW", "gave nothing new for the last"),
    ],
)
def test_a_counter_that_falls_silent_leaves_no_figure_and_no_zero(
    run: Run, results: Results, gpus: Gpus, statement: str, said: str
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", statement)
    found = measurement(results)
    assert not found["windows"][-1]["valid"]
    assert {window["counter_energy_j"] for window in found["windows"] if not window["valid"]} == {
        None
    }
    (spent,) = [one["spent"] for one in results() if one["measurements"]]
    assert spent["energy_j"] is None
    assert said in spent["reason"]


def test_a_gpu_that_is_lost_for_a_moment_is_named_in_the_window_it_was_lost_in(
    run: Run, results: Results, gpus: Gpus
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    length = {"windows": 3, "window_s": 2.5, "after": 40}
    measured_through(run, driver, "GPU-aaaa", "lost from=NOW to=NOW+250", **length)
    windows = measurement(results)["windows"]
    named = [any("could not be read" in text for text in one["warnings"]) for one in windows]
    assert sum(named) == 1
    for window in windows:
        if window["valid"]:
            assert window["energy_j"] == pytest.approx(300 * window["duration_s"], rel=0.02)


GONE = ["lost", "error 16", "error 18 counter power instant field_values"]


@pytest.mark.parametrize("statement", GONE)
def test_a_gpu_that_is_lost_during_a_measurement_leaves_no_figure(
    run: Run, results: Results, gpus: Gpus, statement: str
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    outcome = measured_through(run, driver, "GPU-aaaa", statement)
    for wrong in ("Traceback", "INTERNALERROR"):
        assert wrong not in outcome.stdout.str()
    found = measurement(results)
    last = found["windows"][-1]
    assert (last["valid"], last["energy_j"]) == (False, None)
    assert [text for text in last["warnings"] if "GPU-aaaa" in text]
    assert not [window for window in found["windows"] if window["energy_j"] == 0]


def test_a_gpu_that_is_lost_is_said_to_be_lost(run: Run, results: Results, gpus: Gpus) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", "lost")
    assert [text for text in measurement(results)["warnings"] if "lost" in text]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("set violation 0x40 at=NOW", "was slowed for"),
        ("set violation 0x80 at=NOW", "was slowed for"),
        ("process 4711 type=graphics from=NOW", "also drew for process 4711"),
        ("spike counter 90000000 every=7", "and came back"),
        ("slow 50ms every=9", "took longer than 20 ms"),
        ("zero counter every=4", "readings gave no energy"),
        ("zero counter instant power from=NOW", "readings gave any energy but zero"),
    ],
)
def test_what_is_odd_about_readings_is_said(
    run: Run, results: Results, gpus: Gpus, statement: str, named: str
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", statement)
    found = measurement(results)
    assert [text for text in found["warnings"] if named in text]
    for window in found["windows"]:
        if window["valid"]:
            assert window["energy_j"] == pytest.approx(300 * window["duration_s"], rel=0.06)


def test_a_process_of_somebody_else_is_named(
    run: Run, results: Results, gpus: Gpus, pytester: pytest.Pytester
) -> None:
    own = pytester.path / "own"
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa", processes=(Process(pid=own),)))
    pytester.makeconftest(OWN_NUMBER.format(file=str(own)))
    measured_through(run, driver, "GPU-aaaa", "process 1 from=NOW").assert_outcomes(passed=2)
    found = measurement(results)
    assert "GPU-aaaa also computed for others: process 1" in found["warnings"]
    assert not found["windows"][-1]["valid"]


def test_a_process_that_may_be_anybodys_is_named(run: Run, results: Results, gpus: Gpus) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", "process 1 from=NOW").assert_outcomes(passed=2)
    found = measurement(results)
    assert found["valid"]
    assert [text for text in found["warnings"] if "GPU-aaaa computed for process 1" in text]


def test_a_window_that_was_disturbed_is_measured_again(
    run: Run, results: Results, gpus: Gpus
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", "reset at=NOW").assert_outcomes(passed=2)
    found = measurement(results)
    invalid = [window["index"] for window in found["windows"] if not window["valid"]]
    assert invalid
    assert len(found["windows"]) == 4 + len(invalid)
    assert sum(window["valid"] for window in found["windows"]) == 4


def test_a_throttle_that_stays_is_not_measured_again_for_ever(
    run: Run, results: Results, gpus: Gpus
) -> None:
    driver = gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    measured_through(run, driver, "GPU-aaaa", "throttle 0x40")
    assert len(measurement(results)["windows"]) == 7


@pytest.mark.parametrize("statement", ["lost", "throttle 0x40", "reset at=NOW"])
def test_what_happens_to_a_neighbour_is_no_concern(
    run: Run,
    results: Results,
    gpus: Gpus,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
) -> None:
    driver = gpus(
        Gpu(curve=Constant(300.0), uuid="GPU-aaaa"),
        Gpu(curve=Constant(700.0), uuid="GPU-bbbb", pci="00000000:2B:00.0"),
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa")
    measured_through(run, driver, "GPU-bbbb", statement).assert_outcomes(passed=2)
    found = measurement(results)
    assert found["valid"]
    assert found["power_w"] == pytest.approx(300.0, rel=0.01)
    assert all(window["valid"] for window in found["windows"])


SLICED = Gpu(
    curve=Constant(300.0),
    uuid="GPU-cccc",
    mig=1,
    slices=(Slice(uuid="MIG-one"), Slice(uuid="MIG-two", gpu_instance=2)),
)


def test_a_gpu_cut_into_slices_is_refused_by_name(run: Run, results: Results, gpus: Gpus) -> None:
    gpus(SLICED)
    outcome = run("def test_it(energy): raise RuntimeError", "--llem-meter=nvml")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*GPU-cccc is in MIG mode: its slices share one sensor*"])
    assert not results()


@pytest.mark.parametrize("visible", ["MIG-one", "GPU-cccc", "0"])
def test_a_slice_is_never_measured_as_if_it_were_a_gpu(
    run: Run,
    results: Results,
    gpus: Gpus,
    monkeypatch: pytest.MonkeyPatch,
    visible: str,
) -> None:
    gpus(SLICED, Gpu(curve=Constant(300.0), uuid="GPU-aaaa", pci="00000000:2B:00.0"))
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    outcome = run("def test_it(energy): energy.measure(lambda: None)", "--llem-meter=nvml")
    assert outcome.ret in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.USAGE_ERROR}
    said = outcome.stdout.str() + outcome.stderr.str()
    assert "MIG" in said
    assert "Traceback" not in said
    assert not [one for result in results() for one in result["measurements"] if one["energy_j"]]
