"""How soon, and how rightly, a load is declared steady, beside simpler ways to warm up.

Simulated instrument (virtual time, seeds fixed): an energy counter that refreshes every
100 ms, a temperature in whole degrees, and passes of fixed work. The truth is the power
that was simulated: a load was declared steady too early if the means of the next five
windows of a second (or of a pass, if that is longer) differ by more than 2 % of
themselves (a miss); an alarm is one that was refused although they do not. The last column
is from when on they do not: what a warm-up takes longer, it takes for certainty. The other
ways to warm up are to look at how long passes take, and to wait for a fixed time.

    python benchmarks/steady.py [--loads N]
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import math
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from instrument import MS, SECOND, Sensor, SimulatedMeter, VirtualClock
from machine import describe_machine

from pytest_llem.devices.meter import Facts
from pytest_llem.energy.sampling.sampler import Sampler
from pytest_llem.energy.warm_up.steady import SteadyState
from pytest_llem.energy.warm_up.watch import SteadyWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEP_NS = 5 * MS
WINDOWS, WINDOW_S = 5, 1.0
LEAST_S, LIMIT_S = 0.5, 30.0
EARLY = 0.02


class Sampled:
    """Power in steps of 5 ms, with its exact energy."""

    def __init__(self, start_ns: int, powers_w: Sequence[float]) -> None:
        self._start_ns, self._powers_w = start_ns, powers_w
        self._until_j = [0.0, *itertools.accumulate(w * STEP_NS / SECOND for w in powers_w)]

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        return self._at_j(end_ns) - self._at_j(start_ns)

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        raise NotImplementedError(t_ns, lag_ns)

    def _at_j(self, t_ns: int) -> float:
        number = (t_ns - self._start_ns) // STEP_NS
        if number < 0:
            return self._powers_w[0] * (t_ns - self._start_ns) / SECOND
        number = min(number, len(self._powers_w) - 1)
        inside_ns = t_ns - self._start_ns - number * STEP_NS
        return self._until_j[number] + self._powers_w[number] * inside_ns / SECOND


class Case(NamedTuple):
    """A kind of load."""

    name: str
    pass_s: float
    noise: float
    """Standard deviation of the power of a pass, relative."""
    amplitude: float = 0.0
    """Of the approach, relative to the power at the end; of both signs."""
    tau_s: float = 1.0
    duty: float | None = None
    """Share of a pass at full power, the rest at a quarter; ``None`` is level."""
    warming_c: float = 0.0
    """By how much the card grows warmer, with a time constant of 20 s."""
    leakage: float = 0.0
    """Relative power a degree."""


def cases() -> list[Case]:
    """Steady from the start, settling, warming, with short and long passes."""
    noises = (0.002, 0.01)
    steady = [
        *(Case(f"steady, {n:.1%} noise", 0.1, n) for n in (*noises, 0.03)),
        *(Case(f"steady, passes of 3 s, {n:.1%} noise", 3.0, n, duty=0.3) for n in noises),
        Case("steady, passes of 0.7 s, 1.0% noise", 0.7, 0.01, duty=0.5),
        Case("steady, passes of 2 ms", 0.002, 0.01),
    ]
    settling = [
        Case(f"settles in {tau:g} s, {n:.1%} noise", 0.1, n, amplitude=0.25, tau_s=tau)
        for tau in (0.5, 2.0, 8.0, 30.0)
        for n in noises
    ]
    long = [
        Case(f"settles in {tau:g} s, passes of {p:g} s", p, 0.005, 0.25, tau, duty=0.4)
        for tau in (2.0, 8.0)
        for p in (0.7, 3.0)
    ]
    warming = [
        Case(f"warms by {c:g} °C, {n:.1%} noise", 0.1, n, warming_c=c, leakage=0.004)
        for c in (10.0, 35.0)
        for n in noises
    ]
    return [*steady, *settling, *long, *warming]


@dataclass
class Scene:
    """One load of a kind, on one simulated card."""

    case: Case
    seed: int
    devices: int = 1

    def __post_init__(self) -> None:
        rng = random.Random(f"{self.case.name} {self.seed}")
        self.rng = rng
        self.clock = VirtualClock(random=rng)
        self.start_ns = self.clock() + 300 * MS
        self.sign = rng.choice((-1.0, 1.0))
        self.ends_ns = list(self._passes())
        self.curve = Sampled(self.start_ns, list(self._powers_w()))
        sensors = [
            Sensor(phase_ns=rng.randrange(100 * MS), power_phase_ns=rng.randrange(100 * MS))
            for _ in range(self.devices)
        ]
        meter = SimulatedMeter(self.clock, [self.curve] * self.devices, sensors, self.seed)
        offset_c = rng.random()
        meter.facts_of = lambda now_ns: Facts(
            now_ns,
            temperature_c=math.floor(40.0 + offset_c + self._warmth_c(now_ns)),
            throttle_reasons=("sw_power_cap",),
        )
        self.sampler = Sampler(meter, meter.discover(), clock=self.clock)

    def _passes(self) -> list[int]:
        end_ns, ends_ns = float(self.start_ns), []
        while end_ns < self.start_ns + 70 * SECOND:
            end_ns += self.case.pass_s * SECOND * self.rng.gauss(1.0, 0.003)
            ends_ns.append(round(end_ns))
        return ends_ns

    def _warmth_c(self, now_ns: int) -> float:
        return self.case.warming_c * (1 - math.exp(-max(now_ns - self.start_ns, 0) / 20e9))

    def _powers_w(self) -> list[float]:
        case, powers_w = self.case, []
        begin_ns, number, factor = self.start_ns, 0, self.rng.gauss(1.0, case.noise)
        for t_ns in range(self.start_ns, self.start_ns + 65 * SECOND, STEP_NS):
            while t_ns >= self.ends_ns[number]:
                begin_ns, number = self.ends_ns[number], number + 1
                factor = self.rng.gauss(1.0, case.noise)
            high = case.duty is None or t_ns - begin_ns < case.duty * case.pass_s * SECOND
            approach = 1 + self.sign * case.amplitude * math.exp(
                -(t_ns - self.start_ns) / case.tau_s / SECOND
            )
            leaking = 1 + case.leakage * self._warmth_c(t_ns)
            powers_w.append(400.0 * factor * approach * leaking * (1.0 if high else 0.25))
        return powers_w

    def run(self) -> tuple[float, bool]:
        """When the warm-up ended, in seconds, and whether it was declared steady."""
        self._watch_until(self.start_ns)
        watch = SteadyWatch(self.sampler, self.start_ns, WINDOWS * WINDOW_S)
        state = SteadyState(least_s=LEAST_S, limit_s=LIMIT_S, lasting_s=WINDOWS * WINDOW_S)
        self.sampler.attend(on=True)
        begin_ns, told_ns, holds = self.start_ns, 0, False
        for end_ns in self.ends_ns:
            # what the supervisor has said by the end of a pass, 20 ms after it saw it
            while self.clock() < end_ns - 20 * MS:
                self._watch_until(min(self.clock() + 50 * MS, end_ns - 20 * MS))
                holds = watch.holds(self.clock())
            if end_ns - told_ns >= 20 * MS:
                watch.passed(end_ns)
                told_ns = end_ns
            state.add((end_ns - begin_ns) / SECOND, elsewhere=holds)
            begin_ns = end_ns
            if state.decided:
                break
        return (begin_ns - self.start_ns) / SECOND, state.converged

    def watched(self, seconds: float) -> SteadyWatch:
        """The watch after it has looked for so long."""
        self._watch_until(self.start_ns)
        watch = SteadyWatch(self.sampler, self.start_ns, WINDOWS * WINDOW_S)
        self.sampler.attend(on=True)
        until_ns = self.start_ns + round(seconds * SECOND)
        for end_ns in self.ends_ns[: bisect.bisect(self.ends_ns, until_ns)]:
            self._watch_until(end_ns)
            watch.passed(end_ns)
            watch.holds(self.clock())
        return watch

    def _watch_until(self, end_ns: int) -> None:
        self.sampler.obey()
        while self.clock() < end_ns:
            due_ns = min(self.sampler.step(), end_ns)
            self.clock.sleep(max(due_ns - self.clock(), 0) / SECOND)

    def drift(self, time_s: float) -> float:
        """How far the means of the next windows lie apart, relative, noise left out."""
        length_s = max(WINDOW_S, self.case.pass_s)
        means = [self._level(time_s + i * length_s, length_s) for i in range(WINDOWS)]
        return (max(means) - min(means)) / fmean(means)

    def _level(self, start_s: float, length_s: float) -> float:
        """Mean of the approach and the leakage over a window."""
        case, steps = self.case, 50
        total = 0.0
        for i in range(steps):
            t_s = start_s + (i + 0.5) / steps * length_s
            approach = 1 + self.sign * case.amplitude * math.exp(-t_s / case.tau_s)
            warmth_c = case.warming_c * (1 - math.exp(-t_s / 20))
            total += approach * (1 + case.leakage * warmth_c)
        return total / steps

    def truly_settled_s(self) -> float:
        """When the next windows would not differ by more than 2 % any more."""
        times = [i / 10 for i in range(600)]
        return next(t for t in times if self.drift(t) <= EARLY)


class Ended(NamedTuple):
    """How one load's warm-up ended."""

    took_s: float
    converged: bool
    drift: float
    """Of the windows that follow, relative."""

    @property
    def missed(self) -> bool:
        """Whether it was declared steady, and was not."""
        return self.converged and self.drift > EARLY

    @property
    def alarmed(self) -> bool:
        """Whether it was declared unsteady when out of time, and was steady."""
        return not self.converged and self.drift <= EARLY


def ended(scene: Scene) -> Ended:
    """The warm-up as it is."""
    took_s, converged = scene.run()
    return Ended(took_s, converged, scene.drift(took_s))


def by_passes(scene: Scene) -> Ended:
    """A warm-up that looks at how long passes take, and at nothing else."""
    state = SteadyState(least_s=LEAST_S, limit_s=LIMIT_S, lasting_s=WINDOWS * WINDOW_S)
    ends = itertools.pairwise([scene.start_ns, *scene.ends_ns])
    last_ns = next(end for begin, end in ends if _decided(state, (end - begin) / SECOND))
    took_s = (last_ns - scene.start_ns) / SECOND
    return Ended(took_s, state.converged, scene.drift(took_s))


def _decided(state: SteadyState, duration_s: float) -> bool:
    state.add(duration_s)
    return state.decided


def fixed(scene: Scene, seconds: float) -> Ended:
    """A warm-up of a fixed time that calls all steady."""
    return Ended(seconds, converged=True, drift=scene.drift(seconds))


METHODS: dict[str, Callable[[Scene], Ended]] = {
    "this": ended,
    "passes alone": by_passes,
    "fixed 5 s": lambda scene: fixed(scene, 5.0),
    "fixed 10 s": lambda scene: fixed(scene, 10.0),
    "fixed 30 s": lambda scene: fixed(scene, 30.0),
}


def show_case(case: Case, loads: int) -> dict[str, list[Ended]]:
    """A line for one kind of load; how each method's warm-ups ended."""
    scenes = [Scene(case, seed) for seed in range(loads)]
    found = {name: [method(scene) for scene in scenes] for name, method in METHODS.items()}
    took_s = [one.took_s for one in found["this"]]
    print(
        f"{case.name:36}{sum(one.missed for one in found['this']):>7}"
        f"{sum(one.alarmed for one in found['this']):>8}"
        f"{sum(not one.converged for one in found['this']):>9}"
        f"{median(took_s):>9.2f}{quantiles(took_s, n=10)[-1]:>7.2f}"
        f"{scenes[0].truly_settled_s():>8.1f}",
        flush=True,
    )
    return found


def show_methods(found: Sequence[dict[str, list[Ended]]]) -> None:
    """All kinds together: misses against time."""
    print(f"\n{'warm-up':20}{'missed':>9}{'alarmed':>9}{'took (s): median':>18}{'mean':>7}")
    for name in METHODS:
        pooled = [one for kind in found for one in kind[name]]
        print(
            f"{name:20}{sum(one.missed for one in pooled) / len(pooled):>9.1%}"
            f"{sum(one.alarmed for one in pooled) / len(pooled):>9.1%}"
            f"{median(one.took_s for one in pooled):>18.2f}"
            f"{fmean(one.took_s for one in pooled):>7.2f}"
        )


def show_cost() -> None:
    """What a look costs the supervisor after half a minute."""
    print(f"\n{'devices':20}{'a look (ms): median':>21}")
    for count in (1, 4, 8):
        scene = Scene(Case("cost", 0.1, 0.01), 0, devices=count)
        watch = scene.watched(30.0)
        spent_ns = []
        for _ in range(20):
            begin_ns = time.perf_counter_ns()
            watch.seen(scene.clock())
            spent_ns.append(time.perf_counter_ns() - begin_ns)
        print(f"{count:<20}{median(spent_ns) / MS:>21.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, default=40, help="loads of each kind")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    arguments = parser.parse_args()
    print(describe_machine())
    print(f"\n{'':36}{'':7}{'':8}{'':9}{'took (s)':>16}{'truly':>8}")
    print(f"{'load':36}{'missed':>7}{'alarmed':>8}{'refused':>9}{'median':>9}{'90 %':>7}{'(s)':>8}")
    kinds = [case for case in cases() if arguments.only in case.name]
    show_methods([show_case(case, arguments.loads) for case in kinds])
    show_cost()


if __name__ == "__main__":
    main()
