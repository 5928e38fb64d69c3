"""What planning costs while tests are collected.

Prints, as medians of interleaved runs in fresh processes:

- ``--llem-dry-run`` of a grid of 10,000 points, over bare ``pytest
  --collect-only -q`` of the same grid without the plugin, written once as a
  stack of ``parametrize`` and once with ``llem.grid`` (against one hand-written
  ``parametrize`` with the same rows);
- what the plugin adds to ``pytest --collect-only -q`` of plain tests;
- a grid of 1,000,000 points, planned as a stream without test items, each with its identity: CPU
  time and peak memory of one run.

Other plugins stay out: autoloading is off, except for ``PYTEST_PLUGINS``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from machine import describe_machine

PLUGIN = ("-p", "pytest_llem.plugin")
BARE = ("--collect-only", "-q")
DRY = (*PLUGIN, "--llem-dry-run")

STACK = """
import pytest

@pytest.mark.parametrize("batch_size", range(1, 11))
@pytest.mark.parametrize("input_tokens", range(1, 51))
@pytest.mark.parametrize("output_tokens", range(1, 11))
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chat(energy, model, batch_size, input_tokens, output_tokens, dtype): ...
"""
GRID = """
from pytest_llem import llem

@llem.grid(
    batch_size=range(1, 11),
    input_tokens=range(1, 51),
    output_tokens=range(1, 11),
    dtype=["float32", "bfloat16"],
)
def test_chat(energy, model, batch_size, input_tokens, output_tokens, dtype): ...
"""
BY_HAND = """
import itertools
import pytest

ROWS = list(
    itertools.product(range(1, 11), range(1, 51), range(1, 11), ["float32", "bfloat16"])
)

@pytest.mark.parametrize("batch_size, input_tokens, output_tokens, dtype", ROWS)
def test_chat(energy, model, batch_size, input_tokens, output_tokens, dtype): ...
"""
STREAM = """
import resource
import time

from pytest_llem.plan.streaming import GridStream, tally

axes = {
    "batch_size": range(1, 101),
    "input_tokens": range(1, 101),
    "output_tokens": range(1, 51),
    "dtype": ["float32", "bfloat16"],
}
found = tally(GridStream("study", axes))
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{found.valid:,} valid points streamed: {time.process_time():.1f} s of CPU, {most:.0f} MiB")
"""
PLAIN = "\n".join(f"def test_{number}(tmp_path): ...\n" for number in range(200))


@dataclass(frozen=True)
class Side:
    """One of two commands that are compared."""

    text: str
    options: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=9, help="runs of each side (default: 9)")
    runs = parser.parse_args().runs
    print(describe_machine())
    for name, bare, planned in (
        ("dry run, 10,000 points as parametrize stack", Side(STACK, BARE), Side(STACK, DRY)),
        ("dry run, 10,000 points with llem.grid", Side(BY_HAND, BARE), Side(GRID, DRY)),
    ):
        times, others = _interleaved(bare, planned, runs)
        ratio = statistics.median(others) / statistics.median(times)
        print(f"{name}: {_seconds(others)} over bare {_seconds(times)} = {ratio:.2f} times")
    plain, with_plugin = _interleaved(Side(PLAIN, BARE), Side(PLAIN, (*PLUGIN, *BARE)), 2 * runs)
    added = statistics.median(b - a for a, b in zip(plain, with_plugin, strict=True))
    print(f"plugin on 200 plain tests, --collect-only: {added * 1e3:+.1f} ms", end=" ")
    print(f"({_seconds(with_plugin)} over {_seconds(plain)})")
    subprocess.run([sys.executable, "-c", STREAM], check=True)


def _interleaved(one: Side, other: Side, runs: int) -> tuple[list[float], list[float]]:
    """Seconds of each run of both sides, taken in turns after one run to warm the caches."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "a" / "test_it.py", Path(folder) / "b" / "test_it.py"]
        for file, side in zip(files, (one, other), strict=True):
            file.parent.mkdir()
            file.write_text(side.text)
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(runs + 1):
            for file, side, taken in zip(files, (one, other), times, strict=True):
                seconds = _run(file, side.options)
                if number:
                    taken.append(seconds)
    return times


def _run(file: Path, options: tuple[str, ...]) -> float:
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, *options, file.name]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    start = time.monotonic_ns()
    subprocess.run(command, cwd=file.parent, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.monotonic_ns() - start) / 1e9


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.3f} s"


if __name__ == "__main__":
    main()
