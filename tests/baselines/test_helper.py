"""Judging in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.samples import Sample, Side
from pytest_llem.errors import IsolationError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.baselines.comparison import Comparison

    MakeComparison = Callable[..., Comparison]


@pytest.fixture
def comparisons(
    make_comparison: MakeComparison,
    make_side: Callable[..., Side],
    seeded: Callable[[int], random.Random],
) -> list[Comparison]:
    chance = seeded(21)
    return [
        make_comparison(
            make_side(chance, 3),
            make_side(chance, 1, change),
            experiment=str(change),
            differ=("transformers 5.22 → 5.23",),
            factors={"power_w": (500.0, 501.0)},
        )
        for change in (0.0, 0.1, 0.4)
    ] + [make_comparison(None, make_side(chance, 1))]


def test_the_helper_judges_as_this_process_would(comparisons: list[Comparison]) -> None:
    assert judge_in_helper(comparisons, family_size=9) == judge(comparisons, family_size=9)


def test_the_helper_needs_nothing_of_the_place_it_is_called_from(
    comparisons: list[Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "scipy", "random", "pytest_llem"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("PYTHONINSPECT", "1")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert judge_in_helper(comparisons)[2].verdict == "regressed"


def test_the_calling_process_loads_neither_scipy_nor_numpy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKS],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert json.loads(done.stdout) == {"verdict": "regressed", "loaded": []}


_ASKS = """
import json, sys
import pytest_llem.baselines.store
from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.baselines.samples import Sample, Side
before, after = (Side(sessions=((Sample((value,)),),)) for value in (0.4, 0.8))
(rule,) = parse_rules(["energy_j:5%"])
(made,) = judge_in_helper([Comparison("a", "workload", rule, "measured", before, after)])
heavy = {"scipy", "numpy", "pyarrow", "torch", "transformers", "rich", "typer"}
print(json.dumps({"verdict": made.verdict, "loaded": sorted(heavy & sys.modules.keys())}))
"""


def test_nothing_to_compare_starts_no_process(
    make_comparison: MakeComparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    fresh = make_comparison(None, Side(sessions=((Sample((0.4,)),),)))
    assert [made.verdict for made in judge_in_helper([fresh])] == ["new"]
    assert judge_in_helper([]) == []


def test_a_python_that_does_not_start_is_named(
    comparisons: list[Comparison], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(IsolationError, match="/nowhere/python"):
        judge_in_helper(comparisons)


def test_a_helper_that_fails_says_why(
    comparisons: list[Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scipy.py").write_text("raise ImportError('scipy was built for another Python')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(IsolationError, match=r"built for another Python.*Check that scipy"):
        judge_in_helper(comparisons)


def test_a_helper_that_talks_nonsense_is_no_judgement(
    comparisons: list[Comparison], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('good morning')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(IsolationError, match="good morning"):
        judge_in_helper(comparisons)
