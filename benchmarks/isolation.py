"""What a process of its own costs an experiment.

Runs a file of empty experiments twice over, isolated and in-process, in turns, and
prints the difference per test. The process that starts pytest, and what both
runs do alike, cancels out.

    python benchmarks/isolation.py [--tests N] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe_machine

SOURCE = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_empty(energy, number):
    pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=10, help="empty experiments in one run")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each kind, in turns")
    arguments = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "test_empty.py"
        file.write_text(SOURCE.format(tests=arguments.tests))
        rounds = [_round(file) for _ in range(arguments.rounds)]
    costs = [(spawned - bare) / arguments.tests for spawned, bare in rounds]
    spawned_s, bare_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    print(f"{arguments.tests} empty experiments, median of {arguments.rounds} rounds:")
    print(f"  in-process              {bare_s:7.3f} s a run")
    print(f"  spawned                 {spawned_s:7.3f} s a run")
    print(
        f"  an isolated test costs  {statistics.median(costs):7.3f} s over the same in-process "
        f"(rounds: {min(costs):.3f} to {max(costs):.3f})"
    )


def _round(file: Path) -> tuple[float, float]:
    return _run(file, "spawn"), _run(file, "none")


def _run(file: Path, isolation: str) -> float:
    command = [sys.executable, "-m", "pytest", "-q", f"--llem-isolation={isolation}", file.name]
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    start = time.perf_counter()
    subprocess.run(command, cwd=file.parent, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
