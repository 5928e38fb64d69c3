"""Zeus and CodeCarbon beside us, on the same loads, in real time.

The compiled driver double shows each load as a GPU of its own. A process with Zeus
measures all of them in windows that begin at random instants; at the same time a process
of ours samples the same GPUs, and a bare loop reads their power at 10 Hz. All three are
asked about the same windows. CodeCarbon measures one task at a time and sums its GPUs, so
it gets a process for each load and length. Both are used as their documentation shows:
``ZeusMonitor.begin_window`` and ``end_window``, ``OfflineEmissionsTracker.start_task`` and
``stop_task``. The truth is the integral of the load between the instants at which the work
of a window would begin and end: after the beginning call has returned, before the ending
call is made.

They live in an environment of their own, ``.venv-peers``, made on first use by
``scripts/peers_environment.py``.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from instrument import MS, SECOND
from peers_environment import peers_python

from instruments.cards import A100
from instruments.nvml_double import nvml_double
from pytest_llem.devices.meter import Capability, Device, Reading
from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.sampling.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from instruments.curve import Curve

__all__ = ["compare", "peers_python", "show"]
LENGTHS_S = (0.1, 0.5, 1.0, 2.0, 5.0)
LEAD_S = 4.0
"""How long everybody reads before the first window and after the last."""

ZEUS = """
import heapq, json, sys, time
from zeus.monitor import ZeusMonitor

plan = json.loads(sys.argv[1])
monitor = ZeusMonitor(gpu_indices=list(range(plan["gpus"])))
origin = time.monotonic_ns() + 1_000_000_000
events = []
for number, (start, length) in enumerate(plan["windows"]):
    heapq.heappush(events, (origin + start, "begin", number))
    heapq.heappush(events, (origin + start + length, "end", number))
begun, found = {}, []
while events:
    at, what, number = heapq.heappop(events)
    time.sleep(max(at - time.monotonic_ns(), 0) / 1e9)
    if what == "begin":
        monitor.begin_window(str(number), sync_execution=False)
        begun[number] = time.monotonic_ns()
    else:
        end = time.monotonic_ns()
        measured = monitor.end_window(str(number), sync_execution=False)
        found.append((number, begun[number], end, list(measured.gpu_energy.values())))
print(json.dumps(found))
"""

CODECARBON = """
import json, sys, time
from codecarbon import OfflineEmissionsTracker

plan = json.loads(sys.argv[1])
tracker = OfflineEmissionsTracker(
    country_iso_code="USA", save_to_file=False, log_level="critical", allow_multiple_runs=True
)
found = []
for number, (pause, length) in enumerate(plan["windows"]):
    time.sleep(pause / 1e9)
    tracker.start_task(str(number))
    start = time.monotonic_ns()
    time.sleep(length / 1e9)
    end = time.monotonic_ns()
    data = tracker.stop_task(str(number))
    found.append((start, end, data.gpu_energy * 3.6e6))
print(json.dumps(found))
"""

OURS = """
import json, sys, threading, time
import pynvml
from pytest_llem.devices.nvml.meter import NvmlMeter
from pytest_llem.energy.sampling.sampler import Sampler

pynvml.nvmlInit()
handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
bare, stop = [], threading.Event()

def loop():
    while not stop.wait(0.1):
        for i, handle in enumerate(handles):
            watts = pynvml.nvmlDeviceGetPowerUsage(handle) / 1000
            bare.append((i, time.monotonic_ns(), watts))

threading.Thread(target=loop, daemon=True).start()
meter = NvmlMeter()
with Sampler(meter, meter.discover()) as sampler:
    sampler.attend(True)
    sys.stdin.read()
stop.set()
print(json.dumps({
    "bare": bare,
    "traces": [
        [list(t.before_ns), list(t.after_ns), list(t.energy_j), list(t.power_w)]
        for t in sampler.traces
    ],
}))
"""


class Miss(NamedTuple):
    """One window by one tool."""

    tool: str
    load: str
    length_s: float
    relative: float


def compare(python: Path, loads: Mapping[str, Curve], windows: int) -> list[Miss]:
    """*windows* windows of each length over each load, by everybody."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        tracked = _start_codecarbon(python, directory, loads, max(windows // 4, 8))
        misses = _at_once(python, directory, loads, windows)
        for load, length_s, process in tracked:
            for start_ns, end_ns, energy_j in json.loads(_ended(process)):
                misses.append(
                    _miss("CodeCarbon task", load, length_s, loads, (start_ns, end_ns, energy_j))
                )
    return misses


def _at_once(python: Path, directory: Path, loads: Mapping[str, Curve], windows: int) -> list[Miss]:
    """Zeus, us and the bare loop over the same windows of all loads."""
    driver = _driver(directory / "all", loads.values())
    own = _process(Path(sys.executable), OURS, driver, None)
    time.sleep(LEAD_S)
    planned = _planned(windows)
    plan = {"gpus": len(loads), "windows": [(at, round(s * SECOND)) for at, s in planned]}
    zeus = json.loads(_ended(_process(python, ZEUS, driver, plan)))
    time.sleep(LEAD_S)
    read = json.loads(_ended(own))
    traces = [_trace(columns) for columns in read["traces"]]
    misses = []
    for number, start_ns, end_ns, energies_j in zeus:
        length_s = planned[number][1]
        for i, load in enumerate(loads):
            bare = [(t, w) for gpu, t, w in read["bare"] if gpu == i]
            said = {
                "Zeus window": energies_j[i],
                "10 Hz power": _trapezoid_j(bare, start_ns, end_ns),
                "pytest-llem": estimate_window(traces[i], start_ns, end_ns).energy_j,
            }
            misses += [
                _miss(tool, load, length_s, loads, (start_ns, end_ns, energy_j or 0.0))
                for tool, energy_j in said.items()
            ]
    return misses


def _planned(windows: int) -> list[tuple[int, float]]:
    """Random beginnings, in nanoseconds from the first, and lengths in seconds."""
    rng = random.Random(7)
    span_ns = windows * SECOND
    return sorted(
        (rng.randrange(span_ns), length_s) for length_s in LENGTHS_S for _ in range(windows)
    )


def _start_codecarbon(
    python: Path, directory: Path, loads: Mapping[str, Curve], windows: int
) -> list[tuple[str, float, subprocess.Popen[str]]]:
    rng = random.Random(11)
    started = []
    for load, curve in loads.items():
        driver = _driver(directory / load.replace(" ", "-"), [curve])
        for length_s in LENGTHS_S:
            spans = [
                (rng.randrange(50, 250) * MS, round(length_s * SECOND)) for _ in range(windows)
            ]
            started.append(
                (load, length_s, _process(python, CODECARBON, driver, {"windows": spans}))
            )
    return started


def _driver(directory: Path, curves: Iterable[Curve]) -> dict[str, str]:
    """A driver with a GPU like an A100 for each curve, and the command that shows it is there."""
    directory.mkdir()
    command = directory / "nvidia-smi"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    gpus = [
        A100.gpu(curve, uuid=f"GPU-{i}", pci=f"00000000:{i + 1:02x}:00.0", delay_us=200)
        for i, curve in enumerate(curves)
    ]
    environ = dict(nvml_double(directory, gpus))
    return environ | {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


def _process(
    python: Path, code: str, driver: Mapping[str, str], plan: object
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-c", code, json.dumps(plan)],
        env={**os.environ, **driver},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> str:
    """What a process printed last, once its input has ended."""
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a peer ended with status {process.returncode}")
    return said.strip().splitlines()[-1]


def _trace(columns: Sequence[Sequence[float]]) -> Trace:
    trace = Trace(Device("GPU", "double", Capability("gpu", "counter", 0.001, None)), "nvml")
    for before, after, energy_j, power_w in zip(*columns, strict=True):
        trace.append(Reading(int(before), int(after), energy_j, power_w))
    return trace


def _trapezoid_j(readings: Sequence[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    """Power readings joined by lines, cut at the window's edges."""
    total = 0.0
    for (t0, w0), (t1, w1) in pairwise(readings):
        low, high = max(t0, start_ns), min(t1, end_ns)
        if low < high:
            first, last = (w0 + (w1 - w0) * (t - t0) / (t1 - t0) for t in (low, high))
            total += (first + last) / 2 * (high - low) / SECOND
    return total


def _miss(
    tool: str,
    load: str,
    length_s: float,
    loads: Mapping[str, Curve],
    window: tuple[int, int, float],
) -> Miss:
    start_ns, end_ns, energy_j = window
    truth_j = loads[load].energy_j(start_ns, end_ns)
    return Miss(tool, load, length_s, abs(energy_j - truth_j) / truth_j)


def show(misses: Sequence[Miss]) -> None:
    """One line a tool, pooled over the loads."""
    count = len({miss.load for miss in misses})
    print(
        f"\nReal time, on a driver double like an A100 (counter and power every 100 ms), pooled "
        f"over {count} loads;\nabsolute relative error in %, median / 95th percentile (windows)"
    )
    print(f"{'':16}" + "".join(f"{length:>20g} s" for length in LENGTHS_S))
    for tool in dict.fromkeys(miss.tool for miss in misses):
        cells = []
        for length in LENGTHS_S:
            own = sorted(m.relative for m in misses if m.tool == tool and m.length_s == length)
            worst = own[int(0.95 * len(own))]
            cells.append(f"{100 * median(own):.2g} / {100 * worst:.2g} ({len(own)})")
        print(f"{tool:16}" + "".join(f"{cell:>22}" for cell in cells))
