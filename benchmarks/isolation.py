"""What a process of its own costs an experiment.

Runs a test that loads the built-in model and generates with it, in this process, forked and
spawned, in turns, and prints how long a test takes beside the loading of its model. That is
timed where it happens; the rest is everything from the start of a test to its stored result.
The first test of a run is told apart: it starts the fork server, or imports the engine.

    python benchmarks/isolation.py [--tests N] [--rounds N] [--empty]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from machine import describe_machine

WAYS = ("none", "fork-server", "spawn")
MODEL = """
import pytest
from pytest_llem.workloads.request import Request

@pytest.mark.llem(measurement={{"idle_s": 0}})
@pytest.mark.parametrize("number", range({tests}))
def test_generate(energy, model, number):
    prompt = tuple(model.tokenizer.encode("What does a token cost?"))
    model.generate([Request("one", prompt, output_tokens=1)])
"""
EMPTY = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_empty(energy, number): pass
"""
STOPWATCH = """
import json, os, time
import pytest

def note(name, what, start):
    line = json.dumps([name, what, time.perf_counter() - start])
    with open("times.jsonl", "a") as file:
        file.write(line + "\\n")

@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        if fixturedef.argname == "model":
            note(request.node.nodeid, "load", start)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        if "LLEM_EXPERIMENT" not in os.environ:
            note(item.nodeid, "whole", start)
"""


@dataclass(frozen=True)
class Run:
    """Seconds that the tests of one run took beside loading their model."""

    first_s: float
    later_s: float
    """Median over all but the first."""
    load_s: float
    """Median of loading the model; 0 without one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=10, help="experiments in one run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind, in turns")
    parser.add_argument("--empty", action="store_true", help="tests without a model")
    arguments = parser.parse_args()
    print(describe_machine())
    source = (EMPTY if arguments.empty else MODEL).format(tests=arguments.tests)
    rounds: dict[str, list[Run]] = defaultdict(list)
    for number in range(arguments.rounds):
        for way in WAYS[:: -1 if number % 2 else 1]:
            rounds[way].append(_run(source, way))
    subject = "empty experiments" if arguments.empty else "experiments that load builtin/tiny"
    print(f"{arguments.tests} {subject}, medians of {arguments.rounds} rounds, in ms a test:")
    print("                 loading   beside loading   over in-process (rounds)     first")
    for way in WAYS:
        print(_line(way, rounds[way], rounds["none"]))


def _line(way: str, runs: list[Run], bare: list[Run]) -> str:
    over = [one.later_s - other.later_s for one, other in zip(runs, bare, strict=True)]
    columns = (
        f"  {way.replace('none', 'in-process'):12}",
        f"{_ms(statistics.median(run.load_s for run in runs)):>9}",
        f"{_ms(statistics.median(run.later_s for run in runs)):>16}",
        f"{_ms(statistics.median(over)):>10} ({_ms(min(over))} to {_ms(max(over))})".ljust(29),
        f"{_ms(statistics.median(run.first_s for run in runs)):>8}",
    )
    return " ".join(columns)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _run(source: str, isolation: str) -> Run:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "conftest.py").write_text(STOPWATCH)
        Path(directory, "test_it.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-q", f"--llem-isolation={isolation}"]
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTEST_ADDOPTS": ""}
        subprocess.run(
            command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        lines = Path(directory, "times.jsonl").read_text().splitlines()
    return _timed([json.loads(line) for line in lines])


def _timed(lines: list[tuple[str, str, float]]) -> Run:
    load = {name: seconds for name, what, seconds in lines if what == "load"}
    whole = {name: seconds for name, what, seconds in lines if what == "whole"}
    first, *later = (seconds - load.get(name, 0.0) for name, seconds in whole.items())
    return Run(first, statistics.median(later), statistics.median(load.values() or [0.0]))


if __name__ == "__main__":
    main()
