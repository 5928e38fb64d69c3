"""What a process of its own costs an experiment.

Three parts, all of them unless some are named; spawn is beside each:

- ``model``: a test that loads the built-in model and generates with it, in this process, forked
  and spawned, in turns: how long a test takes beside the loading of its model. That is timed
  where it happens; the rest is everything from the start of a test to its stored result. The
  first test of a run is told apart: it starts the fork server, or imports the engine. Fails if
  a forked test imported any module itself. ``empty`` is the same with a test that does nothing.
- ``grid``: a grid of empty experiments, its time and the memory of the parent.
- ``pick``: what a test costs more in a large grid than in a small one, since its point has to
  be found.

    taskset -c 0,1 python benchmarks/isolation.py [PART ...] [--rounds N] [--points N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import describe_machine

PARTS = ("model", "empty", "grid", "pick")
WAYS = ("none", "fork-server", "spawn")
TESTS = {"model": 10, "empty": 20}
SPAWNED = {"model": 4, "empty": 10, "grid": 30}
"""At most so many are spawned, which takes long."""
SMALL, LARGE = 20, 100_000
PICKED = {"fork-server": 20, "spawn": 3}
EARLY = 100
"""The point from which on the memory of the parent is to stay the same."""
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
import json, os, sys, time
import pytest

IS_CHILD = "LLEM_EXPERIMENT" in os.environ
PICKED = int(os.environ.get("PICKED", "0"))
known = set()

def note(name, what, value):
    line = json.dumps([name, what, value])
    with open("times.jsonl", "a") as file:
        file.write(line + "\\n")

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    known.update(sys.modules)  # an experiment's: right after its fork
    if PICKED and not IS_CHILD:
        items[:] = items[:: len(items) // PICKED][:PICKED]

@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        if fixturedef.argname == "model":
            note(request.node.nodeid, "load", time.perf_counter() - start)

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        if IS_CHILD:
            note(item.nodeid, "imported", sorted(set(sys.modules) - known))
        else:
            note(item.nodeid, "whole", time.perf_counter() - start)
            lines = open("/proc/self/status").read().splitlines()
            kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
            note(item.nodeid, "parent", kib)
"""


@dataclass(frozen=True)
class Run:
    """What was noted in one run; each list has a value for each test that has one."""

    seconds: float
    """All of it, with pytest's start and collection."""
    whole_s: list[float]
    """From the start of a test to its stored result, beside the loading of its model."""
    load_s: list[float]
    parent_kib: list[int]
    """Resident memory of the parent after each test."""
    imported: set[str]
    """Modules that tests imported in processes of their own."""

    @property
    def later_s(self) -> float:
        """Median over all tests but the first, which also starts the server."""
        return statistics.median(self.whole_s[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind, in turns")
    parser.add_argument("--points", type=int, default=1000, help="points of the grid")
    arguments = parser.parse_args()
    parts = arguments.parts or ["model", "grid", "pick"]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"{', '.join(unknown)}: no part; there are {', '.join(PARTS)}")
    print(describe_machine())
    for part in parts:
        if part == "grid":
            _grid(arguments.points)
        elif part == "pick":
            _pick(arguments.rounds)
        else:
            _tests(part, arguments.rounds)


def _tests(part: str, number_of_rounds: int) -> None:
    source = MODEL if part == "model" else EMPTY
    rounds: dict[str, list[Run]] = defaultdict(list)
    for number in range(number_of_rounds):
        for way in WAYS[:: -1 if number % 2 else 1]:
            tests = SPAWNED[part] if way == "spawn" else TESTS[part]
            rounds[way].append(_run(source, tests, way))
    subject = "experiments that load builtin/tiny" if part == "model" else "empty experiments"
    print(
        f"{TESTS[part]} {subject} ({SPAWNED[part]} spawned), medians of {number_of_rounds} rounds, in ms a test:"
    )
    print("                 loading   beside loading   over in-process (rounds)     first")
    for way in WAYS:
        print(_line(way, rounds[way], rounds["none"]))
    imported = set[str]().union(*(run.imported for run in rounds["fork-server"]))
    print(f"  modules that forked experiments imported: {', '.join(sorted(imported)) or 'none'}")
    if imported:
        sys.exit(1)


def _line(way: str, runs: list[Run], bare: list[Run]) -> str:
    over = [one.later_s - other.later_s for one, other in zip(runs, bare, strict=True)]
    columns = (
        f"  {way.replace('none', 'in-process'):12}",
        f"{_ms(statistics.median(statistics.median(run.load_s or [0.0]) for run in runs)):>9}",
        f"{_ms(statistics.median(run.later_s for run in runs)):>16}",
        f"{_ms(statistics.median(over)):>10} ({_ms(min(over))} to {_ms(max(over))})".ljust(29),
        f"{_ms(statistics.median(run.whole_s[0] for run in runs)):>8}",
    )
    return " ".join(columns)


def _grid(points: int) -> None:
    print("grids of empty experiments:")
    for way, size in (("fork-server", points), ("spawn", min(points, SPAWNED["grid"]))):
        run = _run(EMPTY, size, way)
        early, last = run.parent_kib[min(EARLY, size) - 1], run.parent_kib[-1]
        print(
            f"  {way:12} {size} points in {run.seconds:.1f} s, {_ms(run.later_s)} ms a test; "
            f"memory of the parent {early / 1024:.1f} MiB after point {min(EARLY, size)}, "
            f"{last / 1024:.1f} MiB after the last"
        )


def _pick(rounds: int) -> None:
    print(f"a test in a grid of {LARGE} points over one in {SMALL}, medians, in ms:")
    for way, picked in PICKED.items():
        times: dict[int, list[float]] = defaultdict(list)
        for number in range(rounds if way == "fork-server" else 1):
            for size in (SMALL, LARGE)[:: -1 if number % 2 else 1]:
                times[size].append(_run(EMPTY, size, way, picked).later_s)
        small, large = (statistics.median(times[size]) for size in (SMALL, LARGE))
        print(f"  {way:12} {_ms(small):>9} {_ms(large):>9}   added {_ms(large - small)}")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _run(source: str, tests: int, isolation: str, picked: int = 0) -> Run:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "conftest.py").write_text(STOPWATCH)
        Path(directory, "test_it.py").write_text(source.format(tests=tests))
        command = [sys.executable, "-m", "pytest", "-q", f"--llem-isolation={isolation}"]
        own = {"PYTEST_ADDOPTS": "", "PICKED": str(picked)}
        environment = {"OMP_NUM_THREADS": "1", **os.environ, **own}
        start = time.perf_counter()
        subprocess.run(
            command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - start
        lines = Path(directory, "times.jsonl").read_text().splitlines()
    return _noted(seconds, [json.loads(line) for line in lines])


def _noted(seconds: float, lines: list[tuple[str, str, Any]]) -> Run:
    notes: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, what, value in lines:
        notes[what][name] = value
    return Run(
        seconds,
        [value - notes["load"].get(name, 0.0) for name, value in notes["whole"].items()],
        list(notes["load"].values()),
        list(notes["parent"].values()),
        set[str]().union(*notes["imported"].values()),
    )


if __name__ == "__main__":
    main()
