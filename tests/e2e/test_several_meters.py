"""A GPU, a CPU package and its memory, each of known power, read beside each other."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instruments.curves import Constant
from instruments.nvml_double import Gpu
from instruments.powercap import Powercap, Zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instruments.nvml_double import Driver

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]
    Gpus = Callable[..., Driver]

GPU_W, PACKAGE_W, DRAM_W = 300.0, 60.0, 12.0
SOURCE = """
import time, pytest

@pytest.mark.llem(measurement={"windows": 3, "window_s": 0.5, "warmup_min_s": 0.3})
def test_it(energy):
    energy.measure(lambda: time.sleep(0.02), work={"requests": 1, "output_tokens": 5}, name="load")
"""


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Powercap]:
    """A package and its memory, with its cores, which are part of the package."""
    package = "intel-rapl:0"
    zones = {
        package: Zone("package-0", PACKAGE_W),
        f"{package}/{package}:0": Zone("core", 40.0),
        f"{package}/{package}:1": Zone("dram", DRAM_W),
    }
    with Powercap(tmp_path / "powercap", zones) as powercap:
        monkeypatch.setenv("LLEM_POWERCAP", str(powercap.root))
        yield powercap


def test_each_scope_has_its_figure_disjoint_ones_are_added_and_recomputed_alike(
    run: Run, results: Results, gpus: Gpus, powercap: Powercap, pytester: pytest.Pytester
) -> None:
    gpus(Gpu(curve=Constant(GPU_W), uuid="GPU-aaaa"))
    outcome = run(SOURCE, "--llem-meter=nvml,rapl")
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(
        ["*energy is measured by nvml and rapl*", "*energy*package*dram*total*"]
    )
    (result,) = results()
    (found,) = result["measurements"]
    assert (found["scope"], found["devices"]) == ("gpu", ["GPU-aaaa"])
    assert found["power_w"] == pytest.approx(GPU_W, rel=0.01)
    package, memory = found["beside"]
    assert (package["meter"], package["scope"], package["method"]) == ("rapl", "package", "counter")
    late_w = powercap.late_w(PACKAGE_W, found["windows"])
    assert package["power_w"] == pytest.approx(PACKAGE_W, abs=late_w, rel=0.03)
    assert (memory["scope"], memory["devices"]) == ("dram", ["rapl:package-0:dram"])
    late_w = powercap.late_w(DRAM_W, found["windows"])
    assert memory["power_w"] == pytest.approx(DRAM_W, abs=late_w, rel=0.03)
    total = found["total"]
    assert total["scopes"] == ["gpu", "package", "dram"]
    parts = [found["energy_j"], package["energy_j"], memory["energy_j"]]
    assert total["energy_j"] == pytest.approx(sum(parts))
    methodology = result["measurement_methodology"]
    assert [device["uuid"] for device in methodology["devices"]] == ["GPU-aaaa"]
    assert [one["scope"] for one in methodology["beside"]] == ["package", "dram"]
    (kept,) = (pytester.path / ".llem" / "runs").iterdir()
    again = pytester.run(sys.executable, "-m", "pytest_llem", "recompute", kept)
    assert again.ret == 0


@pytest.mark.usefixtures("powercap")
def test_an_experiment_on_the_cpu_leaves_the_gpus_out(
    run: Run, results: Results, gpus: Gpus
) -> None:
    gpus(Gpu(curve=Constant(GPU_W), uuid="GPU-aaaa"))
    run(SOURCE, "--llem-meter=nvml,rapl", "--llem-set=device=cpu").assert_outcomes(passed=1)
    (found,) = results()[0]["measurements"]
    assert found["scope"] == "package"
    assert [one["scope"] for one in found["beside"]] == ["dram"]


@pytest.mark.usefixtures("powercap")
def test_estimates_stand_beside_and_are_never_added(run: Run, results: Results, gpus: Gpus) -> None:
    gpus(Gpu(curve=Constant(GPU_W), uuid="GPU-aaaa"))
    run(SOURCE, "--llem-meter=nvml,estimate").assert_outcomes(passed=1)
    (found,) = results()[0]["measurements"]
    (estimate,) = found["beside"]
    assert estimate["method"] == "estimated"
    assert found["total"] is None


@pytest.mark.parametrize(
    ("meters", "said"),
    [
        ("nvml,", "names a meter too few"),
        ("estimate,estimate", "named twice"),
        ("estimate,rapll", "no meter is called 'rapll'*rapl*"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_loaded(
    run: Run, meters: str, said: str
) -> None:
    outcome = run(SOURCE, f"--llem-meter={meters}")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines([f"*{said}*"])


@pytest.mark.usefixtures("powercap")
def test_a_rule_is_about_any_of_the_meters(run: Run, gpus: Gpus) -> None:
    gpus(Gpu(curve=Constant(GPU_W), uuid="GPU-aaaa"))
    gates = [f"--llem-gate=beside.{gate}" for gate in ("rapl.power_w:<=1W", "dram.power_w:<=99W")]
    outcome = run(SOURCE, "--llem-meter=nvml,rapl", "-v", *gates)
    outcome.assert_outcomes(passed=1)
    said = " ".join(outcome.stdout.str().split())
    assert "write beside.dram.rapl.power_w or beside.package.rapl.power_w" in said
    assert re.search(r"beside.dram.rapl.power_w: 1\d.\d W", said)
    outcome = run(SOURCE, "--llem-meter=nvml,rapl", "--llem-gate=beside.package.power_w:<=40W")
    outcome.assert_outcomes(failed=1)
