"""Energy that is read from a driver, against the power that the driver was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.nvml_double import Driver

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

STEADY = """
import time, pytest

@pytest.mark.llem(measurement={"windows": 3, "window_s": 1.0, "warmup_min_s": 0.3})
def test_steady(energy):
    work = {"requests": 1, "input_tokens": 7, "output_tokens": 5}
    measured = energy.measure(lambda: time.sleep(0.05), work=work, name="sleep")
    assert not measured.estimated
    assert measured.power_w == pytest.approx(300, rel=0.01)
    assert measured.energy_j == pytest.approx(300 * measured.duration_s, rel=0.01)
    assert measured.energy_per_output_token_j == pytest.approx(measured.energy_j / 5)
    assert measured.prefill.energy_j is None
"""


def test_a_steady_load_is_measured_to_a_percent(
    run: Run, results: Results, gpus: Callable[..., None]
) -> None:
    gpus(Gpu(curve=Constant(300.0), uuid="GPU-aaaa"))
    outcome = run(STEADY)
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["*energy is measured by nvml*"])
    assert "stimated" not in outcome.stdout.str()
    (result,) = results()
    method = result["measurement_methodology"]
    assert (method["meter"], method["scope"], method["method"]) == ("nvml", "gpu", "counter")
    assert [device["uuid"] for device in method["devices"]] == ["GPU-aaaa"]
    for window in result["measurements"][0]["windows"]:
        truth_j = 300 * window["duration_s"]
        assert window["energy_j"] == pytest.approx(truth_j, rel=0.01)
        assert abs(window["energy_j"] - truth_j) <= 2 * window["energy_uncertainty_j"]


def test_only_the_gpus_of_the_experiment_are_summed(
    run: Run, results: Results, gpus: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus(
        *(
            Gpu(curve=Constant(watts), uuid=f"GPU-{letter}000", pci=f"00000000:{n}B:00.0")
            for n, (watts, letter) in enumerate([(700.0, "a"), (100.0, "b"), (250.0, "c")], 1)
        )
    )
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    outcome = run(
        """
        import time, pytest

        FAST = {"windows": 2, "window_s": 0.5, "warmup_min_s": 0.2}

        @pytest.mark.llem(measurement=FAST)
        def test_one(energy):
            assert energy.measure(lambda: time.sleep(0.05)).power_w == pytest.approx(250, rel=0.02)

        @pytest.mark.llem(measurement=FAST, tensor_parallel_size=2)
        def test_two(energy):
            assert energy.measure(lambda: time.sleep(0.05)).power_w == pytest.approx(350, rel=0.02)

        @pytest.mark.llem(measurement=FAST, tensor_parallel_size=3)
        def test_three(energy): pass
        """
    )
    outcome.assert_outcomes(passed=2, errors=1)
    assert "2 are visible" in outcome.stdout.str()
    used = [result["measurement_methodology"] for result in results()]
    uuids = [[device["uuid"] for device in one["devices"]] for one in used if one]
    assert sorted(uuids) == [["GPU-c000"], ["GPU-c000", "GPU-b000"]]


def test_a_window_is_measured_without_warm_up(run: Run, gpus: Callable[..., None]) -> None:
    gpus(Gpu(curve=Constant(200.0)))
    run(
        """
        import time, pytest
        from pytest_llem.errors import MeterError

        def test_window(energy):
            with energy.window("nap", work={"output_tokens": 10}) as window:
                with pytest.raises(MeterError, match="has not ended|before its"):
                    window.energy_j
                time.sleep(1.0)
            assert window.energy_j == pytest.approx(200 * window.duration_s, rel=0.05)
            assert window.energy_per_output_token_j == pytest.approx(window.energy_j / 10)
        """
    ).assert_outcomes(passed=1)


def test_a_lost_gpu_is_an_error_that_names_it(run: Run, gpus: Callable[..., Driver]) -> None:
    driver = gpus(Gpu(curve=Constant(200.0), uuid="GPU-dead"))
    outcome = run(
        f"""
        import time, pytest

        passes = 0

        def work():
            global passes
            passes += 1
            if passes == 40:
                with open({str(driver.script)!r}, "a") as script:
                    script.write("gpu GPU-dead\\nlost\\n")
            time.sleep(0.05)

        @pytest.mark.llem(measurement={{"windows": 5, "window_s": 1.0, "warmup_max_s": 1}})
        def test_it(energy):
            measured = energy.measure(work)
            assert not measured.valid
            assert any("GPU-dead" in warning for warning in measured.warnings)

        def test_after(energy): pass
        """
    )
    outcome.assert_outcomes(passed=2)


def test_the_same_load_passes_and_more_power_fails_the_gate(
    run: Run, gpus: Callable[..., None], pytester: pytest.Pytester
) -> None:
    source = STEADY.replace("300", "POWER").replace("import time", "POWER = 300\nimport time", 1)
    gpus(Gpu(curve=Constant(300.0)))
    run(source, "--llem-update-baselines").assert_outcomes(passed=1)
    (baseline,) = pytester.path.glob("baselines/**/*.json")
    before = baseline.read_bytes()

    same = run(source, "--llem-gate=power_w:5%")
    same.assert_outcomes(passed=1)

    gpus(Gpu(curve=Constant(390.0)))
    worse = run(source.replace("POWER = 300", "POWER = 390"), "--llem-gate=power_w:5%", "-rf")
    worse.assert_outcomes(failed=1)
    worse.stdout.fnmatch_lines(["*regressed*", "*change*+[23][09]*%*"])
    assert baseline.read_bytes() == before

    failed_only = pytester.runpytest_subprocess("--lf", "--llem-gate=power_w:50%")
    failed_only.assert_outcomes(passed=1)


def test_no_measuring_meter_fails_the_run_before_anything_is_loaded(
    run: Run, results: Results
) -> None:
    outcome = run("def test_it(energy, model): raise RuntimeError", "--llem-require=measured")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*ERROR*"])
    assert not results()


def test_idling_is_told_apart_and_confirmed_by_the_next_experiment(
    run: Run, results: Results, gpus: Callable[..., object]
) -> None:
    gpus(Gpu(curve=Constant(80.0), uuid="GPU-aaaa"))
    outcome = run(
        """
        import pytest

        @pytest.mark.llem(
            model="builtin/tiny", input_tokens=8, output_tokens=4,
            measurement={"windows": 2, "window_s": 0.3, "prefill_windows": 0, "warmup_min_s": 0.1},
        )
        @pytest.mark.parametrize("batch_size", [1, 2])
        def test_it(energy, model, batch_size):
            measured = energy.measure(model)
            assert measured.idle.power_w == pytest.approx(80.0, rel=0.02)
        """,
        "-vv",
    )
    outcome.assert_outcomes(passed=2)
    outcome.stdout.fnmatch_lines(["*idle: 80.* W over*"])
    found = [result["measurements"][0] for result in results()]
    assert sorted(one["idle"]["confirmed"] for one in found) == [False, True]
    for one in found:
        beyond_j = one["energy_j"] - one["idle"]["power_w"] * one["duration_s"]
        assert one["net_energy_j"] == pytest.approx(beyond_j)
        assert (
            abs(one["net_energy_j"]) <= 3 * one["net_energy_uncertainty_j"] + 0.02 * one["energy_j"]
        )
