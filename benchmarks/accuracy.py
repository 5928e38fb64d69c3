"""How close to the truth a window's energy is, and how honest its uncertainty.

Simulated instrument (virtual time, seeds fixed): an energy counter that refreshes
every 100 ms at an unknown phase, and power that shows 25 ms of every 100 ms, read as
the sampler reads them, with values of an unknown instant of a call.
The truth is an exact integral by code of its own (tests/instruments/curves.py).

Real time: the sampler's thread against a compiled driver double with a steady load.

Beside Zeus and CodeCarbon: the same loads in real time, as peers.py says.

    python benchmarks/accuracy.py [--windows N] [--seconds S] [--peers N]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import peers
from instrument import MS, SECOND, Sensor
from machine import describe_machine
from peers import peers_python

from instruments.curves import Constant, Piece, Pieces, Square
from instruments.nvml_double import Gpu, nvml_double
from instruments.recordings import recorded
from pytest_llem.energy.estimator.counter import refresh_instants
from pytest_llem.energy.estimator.window import estimate_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from instruments.curves import Curve
    from pytest_llem.energy.sampling.trace import Trace

    Choose = Callable[[Trace, int, int, random.Random], tuple[int, int]]

LENGTHS_S = (0.1, 0.5, 1.0, 2.0, 5.0)
RECORDED_S = 60
MARGIN_S = 5
STEADY_W = 400.0
LEVEL = 0.95
LEAST_SECONDS = 12
"""A real recording is asked for windows well inside it."""


class Error(NamedTuple):
    """One window against the truth, relative to it."""

    actual: float
    stated: float
    """Half-width of the stated 95 % interval."""


def curves(phase_ns: int) -> dict[str, Curve]:
    """Loads of an accelerator, at a phase of their own."""
    burst = (Piece(1300 * MS, 120.0), Piece(180 * MS, 680.0), Piece(420 * MS, 250.0))
    ramp = (Piece(2000 * MS, 100.0, 700.0), Piece(2000 * MS, 700.0, 100.0))
    squares = {
        f"square {period} ms": Square(
            low_w=150.0, high_w=600.0, period_ns=period * MS, phase_ns=phase_ns
        )
        for period in (30, 200, 1000)
    }
    return {
        "steady": Constant(STEADY_W),
        **squares,
        "ramp": Pieces(ramp, phase_ns),
        "burst": Pieces(burst, phase_ns),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=40, help="windows in each cell")
    parser.add_argument(
        "--peers", type=int, default=60, help="windows of Zeus a cell, a second each; 0 is none"
    )
    parser.add_argument("--seconds", type=int, default=60, help="real time to record")
    arguments = parser.parse_args()
    if arguments.seconds < LEAST_SECONDS:
        parser.error(f"--seconds: give {LEAST_SECONDS} at least, as windows lie well inside")
    print(describe_machine())
    _peers(arguments.peers)
    _simulated(arguments.windows)
    _real(arguments.seconds)


def _peers(windows: int) -> None:
    if windows and (python := peers_python()):
        loads = {name: curve for name, curve in curves(0).items() if name != "steady"}
        peers.show(peers.compare(python, loads, windows))


def _simulated(windows: int) -> None:
    print(
        "\nSimulated: 100 ms refresh; absolute relative error in %, median / 95th percentile;"
        "\n(coverage of the stated 95 % interval, median stated / median actual)"
    )
    for ends, (choose, how) in ENDS.items():
        print(f"\n{ends:15}" + "".join(f"{length:>28g} s" for length in LENGTHS_S) + f"   ({how})")
        cells = {
            name: {length: _cell(name, length, windows, choose) for length in LENGTHS_S}
            for name in curves(0)
        }
        for name, row in cells.items():
            print(f"{name:15}" + "".join(_shown(row[length]) for length in LENGTHS_S))
        varying = [row for name, row in cells.items() if name != "steady"]
        pooled = {length: [e for row in varying for e in row[length]] for length in LENGTHS_S}
        print(f"{'all but steady':15}" + "".join(_shown(pooled[length]) for length in LENGTHS_S))
        fitted = {
            length: [e for row in varying for e in _fitted(row[length])] for length in LENGTHS_S
        }
        print(f"{'  each at 95 %':15}" + "".join(_shown(fitted[length]) for length in LENGTHS_S))


def _fitted(cell: Sequence[Error]) -> list[Error]:
    """The same windows, had it been known beforehand how wide a cell's intervals have to be.

    All of them are stretched by the one factor with which they hold in 95 % of its windows.
    """
    factors = sorted(error.actual / error.stated for error in cell)
    factor = factors[math.ceil(LEVEL * len(factors)) - 1]
    return [Error(error.actual, factor * error.stated) for error in cell]


def _as_they_are(_: Trace, start_ns: int, end_ns: int, __: random.Random) -> tuple[int, int]:
    return start_ns, end_ns


def _chosen_start(trace: Trace, start_ns: int, end_ns: int, rng: random.Random) -> tuple[int, int]:
    """The work lasts as long as it lasts: its end falls anywhere in a refresh."""
    later_ns = _next_refresh_ns(trace, start_ns) - start_ns
    return start_ns + later_ns, end_ns + later_ns + rng.randrange(100 * MS)


def _chosen_both(trace: Trace, start_ns: int, end_ns: int, __: random.Random) -> tuple[int, int]:
    return _next_refresh_ns(trace, start_ns), _next_refresh_ns(trace, end_ns)


def _next_refresh_ns(trace: Trace, after_ns: int) -> int:
    return refresh_instants(trace, after_ns, after_ns + SECOND)[0]


ENDS = {
    "arbitrary ends": (_as_they_are, "what surrounds the work decides both instants"),
    "chosen start": (_chosen_start, "begins on a refresh, ends anywhere"),
    "chosen ends": (_chosen_both, "begins and ends on a refresh, while the load runs on"),
}
"""Who decides when a window begins and ends."""


def _cell(name: str, length_s: float, windows: int, choose: Choose) -> list[Error]:
    """Windows in four recordings, each with phases of its own."""
    found: list[Error] = []
    for seed in range(4):
        rng = random.Random(f"{name} {length_s} {seed}")
        curve = curves(rng.randrange(2000 * MS))[name]
        phases_ns = rng.randrange(100 * MS), rng.randrange(100 * MS)
        trace = _recorded(name, length_s, seed, curve, phases_ns)
        found += _windows(trace, curve, _ends(trace, length_s, windows // 4, rng, choose))
    return found


RECORDED: dict[tuple[str, float, int], Trace] = {}


def _recorded(
    name: str, length_s: float, seed: int, curve: Curve, phases_ns: tuple[int, int]
) -> Trace:
    """The recording of a cell, which is the same whoever chooses the ends."""
    key = name, length_s, seed
    if key not in RECORDED:
        RECORDED[key] = _record(curve, *phases_ns, seed)
    return RECORDED[key]


def _record(curve: Curve, phase_ns: int, power_phase_ns: int, seed: int) -> Trace:
    answered = random.Random(f"answered {seed}").random()  # nobody knows where drivers do
    sensor = Sensor(phase_ns=phase_ns, power_phase_ns=power_phase_ns, answered=answered)
    return recorded(curve, sensor, seconds=RECORDED_S, seed=seed)


def _ends(
    trace: Trace, length_s: float, count: int, rng: random.Random, choose: Choose = _as_they_are
) -> Iterator[tuple[int, int]]:
    """Instants between which windows lie, well inside a recording."""
    first_ns = trace.before_ns[0] + MARGIN_S * SECOND
    last_ns = trace.after_ns[-1] - MARGIN_S * SECOND - round(length_s * SECOND)
    for _ in range(count):
        start_ns = rng.randrange(first_ns, last_ns)
        yield choose(trace, start_ns, start_ns + round(length_s * SECOND), rng)


def _windows(trace: Trace, curve: Curve, ends: Iterable[tuple[int, int]]) -> Iterator[Error]:
    for start_ns, end_ns in ends:
        truth_j = curve.energy_j(start_ns, end_ns)
        window = estimate_window(trace, start_ns, end_ns)
        if window.energy_j is None or window.uncertainty_j is None:
            raise SystemExit(f"no energy for a window: {window.warnings}")
        yield Error(abs(window.energy_j - truth_j) / truth_j, window.uncertainty_j / truth_j)


def _shown(errors: Sequence[Error]) -> str:
    actual = sorted(error.actual for error in errors)
    covered = sum(error.actual <= error.stated for error in errors) / len(errors)
    typical = median(actual)
    sharpness = median(error.stated for error in errors) / typical if typical else float("inf")
    worst = actual[int(0.95 * len(actual))]
    text = f"{100 * typical:.2g} / {100 * worst:.2g} ({covered:.0%}, {sharpness:.1f})"
    return f"{text:>30}"


REAL = """
import json, resource, sys, time
from pytest_llem.devices.nvml.meter import NvmlMeter
from pytest_llem.energy.estimator.counter import refresh_instants
from pytest_llem.energy.sampling.sampler import Sampler

class NoOne:
    def cpu_time_s(self): return 0.0

meter = NvmlMeter()
calls = [0.0, 0]
read = meter.read
def timed(device):
    start = time.thread_time()
    reading = read(device)
    calls[0] += time.thread_time() - start
    calls[1] += 1
    return reading
meter.read = timed
with Sampler(meter, meter.discover()) as sampler:
    sampler.attend(True)
    time.sleep(2)
    start, used, taken = time.monotonic(), time.process_time(), list(calls)
    time.sleep(float(sys.argv[1]))
    wall, cpu = time.monotonic() - start, time.process_time() - used
    inside, count = calls[0] - taken[0], calls[1] - taken[1]
trace = sampler.traces[0]
print(json.dumps({
    "before_ns": list(trace.before_ns), "after_ns": list(trace.after_ns),
    "energy_j": list(trace.energy_j), "power_w": list(trace.power_w),
    "between_ns": list(trace.between_ns),
    "rate": count / wall, "cpu": cpu / wall, "beyond": (cpu - inside) / wall,
}))
"""


def _real(seconds: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        environ = nvml_double(Path(directory), [Gpu(curve=Constant(STEADY_W), delay_us=200)])
        answer = subprocess.run(
            [sys.executable, "-c", REAL, str(seconds)],
            env=os.environ | environ,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    told = json.loads(answer.stdout)
    trace = _trace_of(told)
    errors = list(_windows(trace, Constant(STEADY_W), _ends(trace, 1.0, 200, random.Random(0))))
    actual = sorted(error.actual for error in errors)
    covered = sum(error.actual <= error.stated for error in errors) / len(errors)
    within = sum(error <= 0.01 for error in actual) / len(actual)
    print(
        f"\nReal time: {seconds} s of the sampler's thread on a driver double, {STEADY_W:g} W, "
        f"counter every 100 ms,\n200 windows of 1 s: {within:.1%} within 1 %, largest error "
        f"{actual[-1]:.3%}, median {median(actual):.3%}; the stated interval covers {covered:.1%}"
        f"\nthe sampler read {told['rate']:.0f} times a second and used {told['cpu']:.2%} of one "
        f"core, {told['beyond']:.2%} beyond the driver's calls"
    )


def _trace_of(told: dict[str, list[float]]) -> Trace:
    from array import array

    from pytest_llem.devices.meter import Capability, Device
    from pytest_llem.energy.sampling.trace import Trace

    trace = Trace(Device("GPU-0", "double", Capability("gpu", "counter", 0.001, None)), "nvml")
    trace.before_ns.extend(array("q", map(int, told["before_ns"])))
    trace.energy_j.extend(told["energy_j"])
    trace.power_w.extend(told["power_w"])
    trace.between_ns.extend(array("q", map(int, told["between_ns"])))
    trace.after_ns.extend(array("q", map(int, told["after_ns"])))
    return trace


if __name__ == "__main__":
    main()
