"""What watching costs: CPU and memory of the pytest process while a child is measured.

A run measures a sleeping load against a driver double with one H100-like GPU, once
with few windows and once with many. The difference in the pytest process's CPU
time over the difference in time is what sampling and supervising cost; start-up,
collection and storing cancel out.

    python benchmarks/supervisor.py [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from machine import describe_machine

from instruments.curves import Constant
from instruments.nvml_double import Gpu, nvml_double

FEW, MANY = 3, 23
CONFTEST = """
import json, resource, time
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol():
    start, used = time.monotonic(), time.process_time()
    result = yield
    spent = {
        "wall_s": time.monotonic() - start,
        "cpu_s": time.process_time() - used,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    with open("spent.json", "w") as file:
        json.dump(spent, file)
    return result
"""
SOURCE = """
import time, pytest

@pytest.mark.llem(measurement={{"windows": {windows}, "window_s": 1.0, "warmup_min_s": 0.3}})
def test_load(energy):
    energy.measure(lambda: time.sleep(0.02), work={{"output_tokens": 8}})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs")
    rounds = parser.parse_args().rounds
    print(describe_machine())
    for meter in ("nvml", "estimate"):
        pairs = [(_spent(meter, FEW), _spent(meter, MANY)) for _ in range(rounds)]
        shares = [
            (many["cpu_s"] - few["cpu_s"]) / (many["wall_s"] - few["wall_s"]) for few, many in pairs
        ]
        peaks = [many["peak_mb"] for _, many in pairs]
        print(
            f"meter {meter}: {statistics.median(shares):6.2%} of one core "
            f"(rounds: {min(shares):.2%} to {max(shares):.2%}), "
            f"peak memory {statistics.median(peaks):.0f} MB"
        )


def _spent(meter: str, windows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "conftest.py").write_text(CONFTEST)
        (directory / "test_load.py").write_text(SOURCE.format(windows=windows))
        driver = nvml_double(directory, [Gpu(curve=Constant(400.0))])
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--llem-meter={meter}", "test_load.py"],
            cwd=directory,
            env=os.environ | driver | {"PYTEST_ADDOPTS": ""},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        spent: dict[str, float] = json.loads((directory / "spent.json").read_text())
        return spent


if __name__ == "__main__":
    main()
