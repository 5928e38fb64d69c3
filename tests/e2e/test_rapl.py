"""CPU packages from end to end: a counter in a folder like the kernel's, at a known power."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instruments.powercap import Powercap

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

pytestmark = pytest.mark.alone
POWER_W = 500.0
"""What the package draws: its counter begins anew every two seconds, so within the windows."""
SOURCE = """
import time, pytest

@pytest.mark.llem(measurement={"windows": 5, "window_s": 0.5, "warmup_min_s": 0.2})
def test_it(energy):
    energy.measure(lambda: time.sleep(0.02), work={"requests": 1, "output_tokens": 5}, name="load")
"""


@pytest.mark.parametrize("powercap", [POWER_W], indirect=True)
def test_a_package_of_known_power_is_measured_and_says_its_scope(
    run: Run, results: Results, powercap: Powercap
) -> None:
    outcome = run(SOURCE, "--llem-meter=rapl")
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["*energy is measured by rapl*"])
    (result,) = results()
    (found,) = result["measurements"]
    assert (found["meter"], found["scope"], found["method"]) == ("rapl", "package", "counter")
    assert found["devices"] == ["rapl:package-0"]
    assert "rapl:package-0: the energy counter wrapped and was carried on" in found["warnings"]
    spent = result["spent"]
    late_j = powercap.late_j(POWER_W)
    valid = [window for window in found["windows"] if window["valid"]]
    assert valid
    for window in valid:
        truth_j = POWER_W * window["duration_s"]
        assert window["energy_j"] == pytest.approx(truth_j, abs=late_j, rel=0.03)
    spent_j = POWER_W * spent["read_s"]
    assert spent["energy_j"] == pytest.approx(spent_j, abs=late_j, rel=0.03)
    late_w = powercap.late_w(POWER_W, found["windows"])
    assert found["power_w"] == pytest.approx(POWER_W, abs=late_w, rel=0.03)
