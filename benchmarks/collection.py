"""What planning costs while tests are collected.

Prints, as medians of interleaved runs in fresh processes:

- ``--llem-dry-run`` of a grid of 10,000 points, over bare ``pytest
  --collect-only -q`` of the same grid without the plugin, written once as a
  stack of ``parametrize`` and once with ``llem.grid`` (against one hand-written
  ``parametrize`` with the same rows);
- what the plugin adds to ``pytest --collect-only -q`` of plain tests;
- time on the CPU and peak memory of ``llem plan`` for a study of 1,000,000 points.

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
STUDY = """
base: {model: builtin/tiny}
sweep:
  batch_size: [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
  input_tokens: [16, 32, 48, 64, 96, 128, 192, 256, 384, 512]
  output_tokens: [16, 32, 48, 64, 96, 128, 192, 256, 384, 512]
  dtype: [float32, bfloat16]
  seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
  backend: [transformers, vllm]
  vllm.max_num_seqs: [16, 32, 64, 128]
  measurement.windows: [3, 5, 7, 9, 11, 13, 15, 17, 19, 21]
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
    _print_plan()


def _print_plan() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "it.llem.yaml").write_text(STUDY)
        command = [sys.executable, "-m", "pytest_llem", "plan", "it.llem.yaml"]
        told = Path(folder) / "told"
        with told.open("w") as file:
            process = subprocess.Popen(command, cwd=folder, stdout=file)
            _, status, spent = os.wait4(process.pid, 0)
        said = told.read_text().partition("\n")[0]
    print(f"llem plan: {said} (exit status {status})")
    print(
        f"  {spent.ru_utime + spent.ru_stime:.1f} s of one core, {spent.ru_maxrss >> 10} MiB at most"
    )


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
