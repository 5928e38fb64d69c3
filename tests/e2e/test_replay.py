"""A run is recorded by the plugin and replayed by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from instruments.powercap import Powercap

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

POWER_W = 50.0
"""What the package of ``powercap`` draws."""
SOURCE = """
import time, pytest

@pytest.mark.llem(measurement={{"windows": {windows}, "window_s": 0.4, "warmup_min_s": 0.2}})
def test_it(energy):
    energy.measure(lambda: time.sleep(0.02), work={{"requests": 1, "output_tokens": 5}}, name="load")
"""
LONG, SHORT = SOURCE.format(windows=9), SOURCE.format(windows=2)


@pytest.fixture
def recorded(run: Run, powercap: Powercap, pytester: pytest.Pytester) -> Callable[[str], Path]:
    """What a run over the given test file reads of ``powercap``, as the file that keeps it."""

    def recorded(source: str) -> Path:
        run(source, "--llem-meter=rapl").assert_outcomes(passed=1)
        (path,) = pytester.path.glob(".llem/runs/*/raw/*.trace.parquet")
        return path

    return recorded


def test_what_a_run_recorded_is_replayed_and_never_passes_for_measured(
    run: Run, results: Results, powercap: Powercap, recorded: Callable[[str], Path]
) -> None:
    path = recorded(LONG)
    outcome = run(SHORT, f"--llem-meter=replay:{path}")
    outcome.assert_outcomes(passed=1)
    said = " ".join(outcome.stdout.str().split())
    assert "energy is REPLAYED, not measured here (replayed from /" in said
    assert "REPLAYED, not measured here: the energy of 1 experiment, from a recording" in said
    recorded, replayed = results()
    (found,) = replayed["measurements"]
    late_w = powercap.late_w(POWER_W, found["windows"])
    assert found["power_w"] == pytest.approx(POWER_W, abs=late_w, rel=0.03)
    assert (found["meter"], found["scope"], found["method"]) == ("replay", "package", "counter")
    assert found["devices"] == ["replay:rapl:package-0"]
    assert replayed["measurement_methodology"]["meter"] == "replay"
    assert recorded["measurement_methodology"]["meter"] == "rapl"


def test_a_run_that_outlives_its_recording_is_invalid_and_says_why(
    run: Run, results: Results, recorded: Callable[[str], Path]
) -> None:
    path = recorded(SHORT)
    outcome = run(LONG, f"--llem-meter=replay:{path}")
    (found,) = results()[-1]["measurements"]
    assert not all(window["valid"] for window in found["windows"])
    assert "ended after" in str(found["warnings"])
    assert outcome.ret in {0, 1}


def test_a_replay_is_refused_where_energy_has_to_be_measured(run: Run, tmp_path: Path) -> None:
    outcome = run(SHORT, f"--llem-meter=replay:{tmp_path / 'x.jsonl'}", "--llem-require=measured")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*x.jsonl cannot be replayed: No such file*raw folder*"])
