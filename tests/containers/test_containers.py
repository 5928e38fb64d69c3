"""Experiments in containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.boxes import Boxed

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

QUICK = '{"windows": 2, "window_s": 0.1, "warmup_min_s": 0, "warmup_max_s": 1}'
SOURCE = f"""
import os
import pytest

@pytest.mark.llem(measurement={QUICK})
def test_it(energy, tmp_path):
    (tmp_path / "written").write_text("x")
    print("pid", os.getpid(), os.listdir("/"))
    measured = energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
    assert measured.energy_j > 0
"""


def test_an_experiment_runs_in_a_container(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    result = run(SOURCE, "--llem-isolation=container", "-rA")
    result.assert_outcomes(passed=1)
