"""CodeCarbon's model from end to end: whole runs with a package that answers like it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import instruments.codecarbon_double

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Run = Callable[..., pytest.RunResult]
    Results = Callable[[], Sequence[dict[str, Any]]]

CONFTEST = f"""
import sys, pytest
sys.path.insert(0, {str(Path(instruments.codecarbon_double.__file__).parents[1])!r})
from instruments.codecarbon_double import Machine
Machine(cpu_w=40.0, ram_w=20.0, gpu_w=300.0).install(pytest.MonkeyPatch())
"""
SOURCE = """
import time, pytest

@pytest.mark.llem(measurement={"windows": 2, "window_s": 0.5, "warmup_min_s": 0.3})
def test_it(energy):
    energy.measure(lambda: time.sleep(0.02), work={"requests": 1, "output_tokens": 5}, name="load")
"""


@pytest.fixture
def codecarbon(pytester: pytest.Pytester) -> None:
    """Its stand-in, for the processes that are started from here on."""
    pytester.makeconftest(CONFTEST)


@pytest.mark.usefixtures("codecarbon")
def test_the_model_of_a_machine_is_an_estimate_wherever_it_is_shown(
    run: Run, results: Results
) -> None:
    outcome = run(SOURCE, "--llem-meter=codecarbon")
    outcome.assert_outcomes(passed=1)
    said = " ".join(outcome.stdout.str().split())
    assert "energy is ESTIMATED by meter codecarbon (CodeCarbon's model: Example 9000" in said
    assert "ESTIMATED, not measured: the energy of 1 experiment, by the codecarbon meter" in said
    (result,) = results()
    (found,) = result["measurements"]
    assert (found["meter"], found["scope"], found["method"]) == ("codecarbon", "node", "estimated")
    assert found["power_w"] == pytest.approx(360.0, rel=1e-3)
    assert all(window["valid"] for window in found["windows"])


@pytest.mark.usefixtures("codecarbon")
def test_the_model_is_refused_where_energy_has_to_be_measured(run: Run) -> None:
    outcome = run(SOURCE, "--llem-meter=codecarbon", "--llem-require=measured")
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines(["*the meter 'codecarbon' estimates it*"])
