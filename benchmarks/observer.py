"""What being measured costs the measured: output tokens per second, sampled over not.

The built-in model generates in this process. Another one samples a driver double with one
H100-like GPU whose calls take 200 µs, as the pytest process does during a window, or
sleeps. Each round runs the same passes sampled, unsampled, and unsampled once more, in
random order; the second unsampled run shows what noise alone does. Ratios are judged by
the Hodges-Lehmann estimate, the median of all pairwise means of their logarithms, with
the interval of the signed-rank test (Hollander, Wolfe and Chicken, Nonparametric
Statistical Methods, 3rd ed., section 3.3), which single rounds disturbed by a neighbour
on the machine do not move.

    python benchmarks/observer.py [--rounds N]
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from machine import describe_machine

from instruments.curves import Constant
from instruments.nvml_double import Gpu, nvml_double
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines import ENGINES
from pytest_llem.measure.work import engine_load
from pytest_llem.workloads.batch import build_requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.measure.work import Load

WANTED = 0.99
"""Least lower bound of the ratio."""
RUN_S = 0.2
"""Least time of one run."""
ON, OFF, AGAIN = "on", "off", "off again"
SAMPLER = """
import sys
from pytest_llem.devices.nvml.meter import NvmlMeter
from pytest_llem.energy.sampling.sampler import Sampler

meter = NvmlMeter()
sampler = Sampler(meter, meter.discover())
sampler.attend(True)
for line in sys.stdin:
    sampler.start() if line.strip() == "on" else sampler.stop()
    print("done", flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300, help="rounds of three runs each")
    rounds = parser.parse_args().rounds
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    print(describe_machine())
    config = ExperimentConfig(model="builtin/tiny", input_tokens=32, output_tokens=32)
    session = ENGINES.load(config.backend)().load(config)
    try:
        load = engine_load(session, build_requests(config, session.tokenizer))
        for _ in range(5):
            load()
        rates = _rates(load, rounds)
    finally:
        session.close()
    _show("sampled / not", rates[ON], rates[OFF], f"lower bound wanted: {WANTED}")
    _show("not / not", rates[AGAIN], rates[OFF], "noise alone")


def _rates(load: Load, rounds: int) -> dict[str, list[float]]:
    """Output tokens per second of each kind of run, one a round."""
    rng = random.Random(5)
    rates: dict[str, list[float]] = {ON: [], OFF: [], AGAIN: []}
    with TemporaryDirectory() as name:
        driver = nvml_double(Path(name), [Gpu(curve=Constant(400.0), delay_us=200)])
        sampler = subprocess.Popen(
            [sys.executable, "-c", SAMPLER],
            env={**os.environ, **driver},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with sampler:
            _say(sampler, ON)
            time.sleep(2)  # until it knows when refreshes are due
            for _ in range(rounds):
                for kind in rng.sample(sorted(rates), len(rates)):
                    _say(sampler, ON if kind == ON else OFF)
                    rates[kind].append(_rate(load))
    return rates


def _say(sampler: subprocess.Popen[str], word: str) -> None:
    asked, answered = sampler.stdin, sampler.stdout
    if asked is None or answered is None:
        raise SystemExit("the sampling process cannot be spoken with")
    asked.write(f"{word}\n")
    asked.flush()
    if not answered.readline():
        raise SystemExit("the sampling process ended")


def _rate(load: Load) -> float:
    start, tokens = time.perf_counter(), 0
    while time.perf_counter() - start < RUN_S:
        tokens += load().output_tokens or 0
    return tokens / (time.perf_counter() - start)


def _show(what: str, ours: Sequence[float], others: Sequence[float], wanted: str) -> None:
    logs = [math.log(a / b) for a, b in zip(ours, others, strict=True)]
    low, middle, high = (math.exp(value) for value in hodges_lehmann(logs))
    print(
        f"{what:14} {middle:.4f}, 95 % interval {low:.4f} to {high:.4f}, "
        f"over {len(logs)} pairs ({wanted})"
    )


def hodges_lehmann(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower bound, estimate and upper bound of the centre of *values*, at 95 %."""
    count = len(values)
    means = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    cut = max(math.floor(len(means) / 2 - 1.959964 * spread), 0)
    return means[cut], means[len(means) // 2], means[len(means) - 1 - cut]


if __name__ == "__main__":
    main()
