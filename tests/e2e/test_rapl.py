"""CPU packages from end to end: a counter in a folder like the kernel's, at a known power."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

RANGE_UJ = 1_000_000_000
LEFT_UJ = 75_000_000
"""Until the counter begins anew, which is within the measurement."""
POWER_W = 50.0
SOURCE = """
import time, pytest

@pytest.mark.llem(measurement={"windows": 3, "window_s": 0.4, "warmup_min_s": 0.2})
def test_it(energy):
    energy.measure(lambda: time.sleep(0.02), work={"requests": 1, "output_tokens": 5}, name="load")
"""


@pytest.fixture
def powercap(tmp_path: Path) -> Iterator[Path]:
    """A package that draws a constant power, its counter renewed every two milliseconds."""
    zone = tmp_path / "powercap" / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    ended, started_s = threading.Event(), time.monotonic()

    def renew() -> None:
        while True:
            used_uj = int((time.monotonic() - started_s) * POWER_W * 1e6)
            shown_uj = (RANGE_UJ - LEFT_UJ + used_uj) % RANGE_UJ
            (zone / "new").write_text(f"{shown_uj}\n")
            os.replace(zone / "new", zone / "energy_uj")  # noqa: PTH105 - as sysfs, never half
            if ended.wait(0.002):
                return

    thread = threading.Thread(target=renew)
    thread.start()
    while not (zone / "energy_uj").exists():
        time.sleep(0.001)
    yield zone.parent
    ended.set()
    thread.join()


def test_a_package_of_known_power_is_measured_and_says_its_scope(
    run: Run, results: Results, powercap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLEM_POWERCAP", str(powercap))
    outcome = run(SOURCE, "--llem-meter=rapl")
    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["*energy is measured by rapl*"])
    (result,) = results()
    (found,) = result["measurements"]
    assert found["power_w"] == pytest.approx(POWER_W, rel=0.03)
    assert (found["meter"], found["scope"], found["method"]) == ("rapl", "package", "counter")
    assert found["devices"] == ["rapl:package-0"]
    for window in found["windows"]:
        assert window["energy_j"] == pytest.approx(POWER_W * window["duration_s"], rel=0.03)
