"""Workloads on a real model: mixed lengths, files and chats, and the figures of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

QUICK = (
    "--llem-meter=estimate",
    "--llem-set=dtype=float32",
    "--llem-set=measurement.windows=2",
    "--llem-set=measurement.window_s=0.2",
    "--llem-set=measurement.prefill_windows=2",
    "--llem-set=measurement.warmup_max_s=2",
    "--llem-set=measurement.idle_s=0",
)


def results(path: Path) -> list[dict[str, Any]]:
    files = sorted(path.glob(".llem/runs/*/results/*.json"))
    return [json.loads(file.read_text()) for file in files]


def test_workloads_of_all_kinds_are_served_and_told(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("inner")
    (folder / "prompts.jsonl").write_text(
        '{"prompt": "def add(a, b): return a + b", "output_tokens": 5}\n'
        '{"prompt": "A sentence.", "output_tokens": 12}\n'
    )
    (folder / "test_it.py").write_text(
        """
import pytest

@pytest.mark.llem(
    batch_size=4,
    workload={"input_lengths": (4, 60, 17), "output_lengths": (2, 20)},
    measurement={"phases": "measured"},
)
def test_mixed(energy, model):
    energy.measure(model)

@pytest.mark.llem(
    batch_size=2,
    workload={"source": "jsonl", "path": "prompts.jsonl", "lengths": "own"},
)
def test_lines(energy, model):
    energy.measure(model)

@pytest.mark.llem(input_tokens=24, output_tokens=8, workload={"turns": 3, "turn_tokens": 6})
def test_chat(energy, model):
    energy.measure(model)
"""
    )
    done = pytester.runpytest_subprocess("-p", "no:randomly", "inner", *QUICK)
    done.assert_outcomes(passed=3)
    found = {one["node_id"].rpartition("::")[2]: one for one in results(pytester.path)}

    mixed = found["test_mixed"]
    assert mixed["workload"]["input_lengths"] == [4, 60, 17, 4]
    assert mixed["workload"]["output_lengths"] == [2, 20, 2, 20]
    assert mixed["workload"]["input_tokens"] == 85
    (measured,) = mixed["measurements"]
    assert measured["output_tokens"] == 44
    assert measured["energy_per_output_token_j"] == pytest.approx(measured["energy_j"] / 44)
    assert measured["prefill"]["method"] == "measured"
    parts = measured["prefill"]["energy_j"] + measured["decode"]["energy_j"]
    assert parts == pytest.approx(measured["energy_j"])

    lines = found["test_lines"]
    assert lines["config"]["workload"]["path"] == str(folder / "prompts.jsonl")
    assert len(lines["config"]["workload"]["sha256"]) == 64
    assert lines["workload"]["output_lengths"] == [5, 12]
    assert lines["workload"]["input_lengths"][0] > lines["workload"]["input_lengths"][1]

    chat = found["test_chat"]
    assert chat["workload"]["input_lengths"] == [24, 38, 52]
    assert chat["workload"]["output_lengths"] is None
    assert chat["measurements"][0]["output_tokens"] == 24
    assert chat["measurements"][0]["requests"] == 3


def test_a_path_on_the_command_line_is_found_from_where_it_was_given(
    pytester: pytest.Pytester,
) -> None:
    folder = pytester.mkdir("inner")
    (folder / "test_it.py").write_text("def test_it(energy, model): energy.measure(model)\n")
    (pytester.path / "here.jsonl").write_text('{"prompt": "Some text."}\n')
    asked = ("--llem-set=workload.source=jsonl", "--llem-set=workload.path=here.jsonl")
    done = pytester.runpytest_subprocess("-p", "no:randomly", "inner", *QUICK, *asked)
    done.assert_outcomes(passed=1)
    (pytester.path / "here.jsonl").write_text('{"prompt": "Some text."}\n{"prompt": 3}\n')
    broken = pytester.runpytest_subprocess("-p", "no:randomly", "inner", *QUICK, *asked)
    assert broken.ret == 1
    broken.stdout.fnmatch_lines(["*here.jsonl, line 2: needs a text in 'prompt'*"])
    assert "in line_of" not in broken.stdout.str()
