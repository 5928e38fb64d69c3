"""How often stated intervals hold the truth, and how wide they are, by sensor and by load.

Simulated instruments (virtual time, seeds fixed) like the sensors of known cards, and worse
ones, under loads that are harder than a model's: each pair is recorded anew, read as the
sampler reads it, and asked for windows at arbitrary instants. The truth is an exact integral
by code of its own (tests/instruments/curves.py).

    python benchmarks/intervals.py [--windows N] [--recordings N]
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from instrument import MS, SECOND, Sensor
from machine import describe_machine

from instruments.curves import Constant, Piece, Pieces, Sine, Square, Sum
from instruments.recordings import recorded
from pytest_llem.energy.estimator.window import estimate_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from instruments.curves import Curve
    from pytest_llem.energy.sampling.trace import Trace

LENGTHS_S = (0.5, 1.0, 2.0, 5.0)
RECORDED_S, FIRST_S = 40, 5
STATED = 0.95
LOW = 0.9
"""Pairs of sensor and load of which intervals hold less often are listed."""

SENSORS: dict[str, dict[str, Any]] = {
    "25 of 100 ms": {},
    "all of 100 ms": {"averaging_ns": 100 * MS},
    "10 of 20 ms": {"refresh_ns": 20 * MS, "power_refresh_ns": 20 * MS, "averaging_ns": 10 * MS},
    "1 s in steps of 100 ms": {"averaging_ns": 1000 * MS},
    "no power readings": {"averaging_ns": None},
    "counter 20 ms, power 50 of 100 ms": {"refresh_ns": 20 * MS, "averaging_ns": 50 * MS},
    "refreshes jitter by 2 ms": {"jitter_ns": 2.0 * MS},
    "refreshes jitter by 0.03 ms": {"jitter_ns": 0.03 * MS},
    "each call answers at an instant of its own": {"answered": None},
    "calls of 3 ms, some of 50 ms": {"latency_ns": 3e6, "slow_share": 0.005},
}
"""What power readings average over; the counter is refreshed as often, where nothing is said."""


def loads(rng: random.Random) -> dict[str, Curve]:
    """Loads at phases of their own, watts of the kind that accelerators draw."""
    phase_ns = rng.randrange(2 * SECOND)

    def square(
        period_ms: int, low_w: float = 150.0, high_w: float = 600.0, duty: float = 0.5
    ) -> Square:
        return Square(
            low_w=low_w, high_w=high_w, period_ns=period_ms * MS, phase_ns=phase_ns, duty=duty
        )

    def wave(period_ms: int, amplitude_w: float, middle_w: float = 350.0) -> Sine:
        return Sine(
            middle_w=middle_w, amplitude_w=amplitude_w, period_ns=period_ms * MS, phase_ns=phase_ns
        )

    def pieces(*each: Piece) -> Pieces:
        return Pieces(each, phase_ns)

    kernels = Square(low_w=-20.0, high_w=20.0, period_ns=13 * MS, phase_ns=phase_ns)
    return {
        "steady": Constant(400.0),
        **{f"square, {period} ms": square(period) for period in (30, 200, 333, 1000)},
        "square, 47 ms, 30 %": square(47, duty=0.3),
        "square, 113 ms, 70 %": square(113, 250.0, 420.0, duty=0.7),
        "ramp": pieces(Piece(2000 * MS, 100.0, 700.0), Piece(2000 * MS, 700.0, 100.0)),
        "burst": pieces(Piece(1300 * MS, 120.0), Piece(180 * MS, 680.0), Piece(420 * MS, 250.0)),
        "prefill and decode, 260 ms": pieces(Piece(39 * MS, 610.0), Piece(221 * MS, 371.0, 349.0)),
        "prefill and decode, 700 ms": pieces(Piece(105 * MS, 640.0), Piece(595 * MS, 340.0, 320.0)),
        "random plateaus": pieces(
            *(Piece(rng.randrange(20, 900) * MS, rng.uniform(90, 690)) for _ in range(40))
        ),
        "random slopes": pieces(
            *(
                Piece(rng.randrange(80, 1500) * MS, rng.uniform(90, 690), rng.uniform(90, 690))
                for _ in range(40)
            )
        ),
        "wave, 420 ms": wave(420, 120.0),
        "wave, 1700 ms": wave(1700, 200.0),
        "kernels of 13 ms": Sum((square(900, 300.0, 520.0, duty=0.6), kernels)),
        "ripple of 37 ms": Sum((wave(2300, 12.0, 380.0), wave(37, 25.0, 0.0))),
        "pulses of 25 ms": pieces(
            *(
                part
                for _ in range(30)
                for part in (Piece(rng.randrange(200, 900) * MS, 400.0), Piece(25 * MS, 160.0))
            )
        ),
        "slow jumps": pieces(
            *(
                Piece(rng.randrange(300, 900) * MS, *ends, 15 * MS)
                for _ in range(20)
                for ends in ((180.0, 560.0), (560.0, 180.0))
            )
        ),
    }


class Window(NamedTuple):
    """One window against the truth, relative to it."""

    sensor: str
    load: str
    length_s: float
    actual: float
    stated: float
    """Half-width of the stated 95 % interval."""

    @property
    def held(self) -> bool:
        return self.actual <= self.stated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--windows", type=int, default=4, help="windows of each length in a recording"
    )
    parser.add_argument("--recordings", type=int, default=2, help="recordings of each pair")
    arguments = parser.parse_args()
    print(describe_machine())
    names = loads(random.Random(0))
    pairs = product(SENSORS, names)
    jobs = list(product(pairs, range(arguments.recordings), [arguments.windows]))
    with ProcessPoolExecutor(max(len(os.sched_getaffinity(0)) - 1, 1)) as pool:
        windows = [
            window
            for found in pool.map(_recorded_windows, *zip(*jobs, strict=True))
            for window in found
        ]
    _show("sensor", windows, lambda window: window.sensor)
    _show("load", windows, lambda window: window.load)
    _show_low(windows)


def _recorded_windows(pair: tuple[str, str], seed: int, count: int) -> list[Window]:
    rng = random.Random(f"{pair} {seed}")
    curve = loads(rng)[pair[1]]
    sensor = _sensor(pair[0], rng)
    trace = recorded(curve, sensor, seconds=RECORDED_S, seed=rng.randrange(10**6))
    return list(_windows(pair, curve, trace, rng, count))


def _sensor(name: str, rng: random.Random) -> Sensor:
    """One with phases of its own, and an unknown instant of each call at which it answers."""
    own = Sensor(**SENSORS[name])
    return replace(
        own,
        phase_ns=rng.randrange(own.refresh_ns),
        power_phase_ns=rng.randrange(own.power_refresh_ns),
        answered=None if own.answered is None else rng.random(),
    )


def _windows(
    pair: tuple[str, str], curve: Curve, trace: Trace, rng: random.Random, count: int
) -> Iterator[Window]:
    first_ns = trace.before_ns[0] + FIRST_S * SECOND
    for length_s in LENGTHS_S:
        for _ in range(count):
            start_ns = first_ns + rng.randrange(
                (RECORDED_S - 2 * FIRST_S) * SECOND - round(length_s * SECOND)
            )
            end_ns = start_ns + round(length_s * SECOND)
            found = estimate_window(trace, start_ns, end_ns)
            truth_j = curve.energy_j(start_ns, end_ns)
            if found.energy_j is None or found.uncertainty_j is None:
                raise SystemExit(f"{pair}: no energy for a window: {found.warnings}")
            actual = abs(found.energy_j - truth_j) / truth_j
            yield Window(*pair, length_s, actual, found.uncertainty_j / truth_j)


def _show(what: str, windows: Iterable[Window], of: Callable[[Window], str]) -> None:
    print(
        f"\nBy {what}: how often the stated 95 % interval holds; median and 95th percentile of the error\n"
        "in % of the energy; and the median interval in units of the median error"
    )
    groups: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        groups[of(window)].append(window)
        groups["all"].append(window)
    groups["all"] = groups.pop("all")
    for name, group in groups.items():
        actual = sorted(window.actual for window in group)
        held = sum(window.held for window in group) / len(group)
        middle, most = median(actual), actual[int(0.95 * len(actual))]
        wide = median(window.stated for window in group) / middle
        print(f"{name:44}{held:8.1%}{100 * middle:10.2g}{100 * most:9.2g}{wide:8.1f}")


def _show_low(windows: Iterable[Window]) -> None:
    pairs: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for window in windows:
        pairs[window.sensor, window.load].append(window.held)
    shares = {pair: sum(held) / len(held) for pair, held in pairs.items()}
    low = sorted((share, pair) for pair, share in shares.items() if share < LOW)
    each = len(next(iter(pairs.values())))
    print(
        f"\n{len(low)} of {len(pairs)} pairs hold in less than {LOW:.0%} of their {each} windows"
        f"\n({len(pairs) * _chance(each):.0f} would by chance if each window held with {STATED:.0%}):"
    )
    for share, (sensor, load) in low:
        print(f"  {share:.0%}  {sensor}; {load}")


def _chance(count: int) -> float:
    """How likely fewer than ``LOW`` of so many windows hold if each holds as stated."""
    return sum(
        math.comb(count, missed) * (1 - STATED) ** missed * STATED ** (count - missed)
        for missed in range(count + 1)
        if count - missed < LOW * count
    )


if __name__ == "__main__":
    main()
