"""How power runs inside a refresh if it stands still and jumps: many paths, weighed.

Kernels, prefill and decode draw power in plateaus. A plateau is given away by the
refreshes before and after a jump, and its end then follows to a millisecond from the
energy of the refresh that holds it, where a linear prediction would smear the jump over
the whole refresh. Paths are followed from refresh to refresh, each with at most one jump
in a refresh; the levels and energies along a path are jointly normal, so that every
reading updates them exactly (Kalman 1960), and the likeliest paths are kept (a multiple
hypothesis tracker with pruning and merging: Blackman 2004, IEEE AESM 19).
"""

from __future__ import annotations

import math
from copy import copy
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.mixture import Mixture, Normal
from pytest_llem.energy.estimator.timing import PowerAt
from pytest_llem.energy.estimator.transition import AT_ONCE, Transition

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = 10
"""Instants in a refresh at which power may jump."""
KEPT = 14
"""Paths kept at the end of a refresh."""
JUMPS = 0.3
"""Share of the refreshes that hold a jump."""
PULSES = 0.03
"""Share of the refreshes that hold a pulse: up and down again, or down and up."""
BRIEF = 0.25
"""What a pulse lasts, in units of its refresh."""
SHORTEST_S = 1e-9
"""Nothing that is shorter matters."""
LOFTY = 0.5
"""Least height of a pulse, in units of the mean power; else it is that of other levels."""
NEGLIGIBLE = 0.1
"""A variance that is less of another one changes nothing."""
DISTRUST = 0.6
"""Exponent of the paths' likelihoods: a load that repeats itself repeats its evidence too,
and jumps fall between the places."""
HOPELESS = 12.0
"""A path is dropped that is less likely than the best by this much, in log."""


class Level(NamedTuple):
    """A power that a plateau may have."""

    share: float
    """Of all plateaus."""
    mean_w: float
    variance_w2: float


class Window(NamedTuple):
    """What a power reading averages over, in seconds, and the energy that it tells."""

    start_s: float
    end_s: float
    energy_j: float


class Noise(NamedTuple):
    """Variances of the readings beside what jumps explain, in J²."""

    counter_j2: float
    power_j2: float
    slip_s: float
    """How far a power reading's window may lie from where it is thought to lie."""
    transition: Transition = AT_ONCE


class Told(NamedTuple):
    """The energy from the node before the instant to the instant."""

    log_evidence: float
    energy: Mixture
    """Of what each path says."""
    power: PowerAt
    """At the instant."""


class Path:
    """One way in which power may have run, as a normal distribution of four quantities.

    The level ``l``, and the energies ``c`` since the last node, ``b`` since the start of
    a power reading's window, ``g`` from the instant's node to the instant; ``xy`` is the
    covariance of ``x`` and ``y``. ``at_w`` was the level at the instant.
    """

    __slots__ = (
        "at_w", "b", "bb", "bg", "c", "cb", "cc", "cg", "g", "gg", "jumped", "jumped_s", "l", "lb", "lc",
        "leap_w2", "lg", "ll", "log", "pulsed_s", "tail_j2", "time_s",
    )  # fmt: skip

    def __init__(self, log: float, level: Level, time_s: float) -> None:
        self.log, self.l, self.ll, self.time_s = log, level.mean_w, level.variance_w2, time_s
        self.c = self.b = self.g = self.lc = self.lb = self.lg = 0.0
        self.cc = self.cb = self.cg = self.bb = self.bg = self.gg = 0.0
        self.jumped, self.jumped_s, self.leap_w2 = False, -math.inf, 0.0
        self.pulsed_s, self.tail_j2 = -math.inf, 0.0
        self.at_w = level.mean_w

    def jump(
        self, log: float, level: Level, off_s2: tuple[float, float], *, b: bool, g: bool
    ) -> Path:
        """This path with a new level.

        *off_s2* is the variance of the jump's instant, and the square of what of its leap may
        be on the wrong side of the instant up to which energy is asked for.
        """
        unsure_s2, tail_s2 = off_s2
        new = Path.__new__(Path)
        leap_w2 = (self.l - level.mean_w) ** 2 + self.ll + level.variance_w2
        shift = leap_w2 * unsure_s2
        new.log, new.l, new.ll, new.time_s = (
            self.log + log,
            level.mean_w,
            level.variance_w2,
            self.time_s,
        )
        new.c, new.b, new.g = self.c, self.b, self.g
        new.lc = new.lb = new.lg = 0.0
        new.cc = self.cc + shift
        new.cb, new.bb = self.cb + shift * b, self.bb + shift * b
        new.cg, new.gg = self.cg + shift * g, self.gg + shift * g
        new.bg = self.bg + shift * (b and g)
        new.jumped, new.jumped_s, new.leap_w2 = True, self.time_s, leap_w2
        new.pulsed_s, new.at_w = self.pulsed_s, self.at_w
        new.tail_j2 = self.tail_j2 + leap_w2 * tail_s2
        return new

    def pulse(self, log: float, until_s: float, energy_j2: float, *, b: bool, g: bool) -> Path:
        """This path with a pulse of an unknown energy in a stretch that ends at *until_s*."""
        new = copy(self)
        new.log += log
        new.cc += energy_j2
        new.cb, new.bb = new.cb + energy_j2 * b, new.bb + energy_j2 * b
        new.cg, new.gg = new.cg + energy_j2 * g, new.gg + energy_j2 * g
        new.bg += energy_j2 * (b and g)
        new.jumped, new.pulsed_s = True, until_s
        return new

    def go(self, time_s: float, *, b: bool, g: bool) -> None:
        """Let time pass; *b* and *g* say whether those energies grow."""
        d = time_s - self.time_s
        if d <= 0:
            return
        self.time_s = time_s
        lc, lb, lg, more = self.lc, self.lb, self.lg, d * self.ll
        grown_j = d * self.l
        self.c += grown_j
        self.cc += d * (2 * lc + more)
        self.cb += d * (lb + (lc + more) * b)
        self.cg += d * (lg + (lc + more) * g)
        self.lc = lc + more
        self.bg += d * (lg * b + (lb + more * b) * g)
        if b:
            self.b += grown_j
            self.bb += d * (2 * lb + more)
            self.lb = lb + more
        if g:
            self.g += grown_j
            self.gg += d * (2 * lg + more)
            self.lg = lg + more

    def see_counter(self, energy_j: float, noise_j2: float) -> None:
        """Take in the energy since the last node, and begin anew."""
        gain, pull = self._surprise(energy_j - self.c, self.cc + noise_j2)
        lc, cb, cg = self.lc, self.cb, self.cg
        self.l, self.b, self.g = self.l + lc * pull, self.b + cb * pull, self.g + cg * pull
        self.ll -= lc * lc * gain
        self.lb -= lc * cb * gain
        self.lg -= lc * cg * gain
        self.bb -= cb * cb * gain
        self.bg -= cb * cg * gain
        self.gg -= cg * cg * gain
        self.c = self.cc = self.lc = self.cb = self.cg = 0.0
        self.jumped = False

    def see_power(self, energy_j: float, noise_j2: float) -> None:
        """Take in the energy of a power reading's window."""
        gain, pull = self._surprise(energy_j - self.b, self.bb + noise_j2)
        lb, cb, bg = self.lb, self.cb, self.bg
        self.l, self.c, self.g = self.l + lb * pull, self.c + cb * pull, self.g + bg * pull
        self.ll -= lb * lb * gain
        self.lc -= lb * cb * gain
        self.lg -= lb * bg * gain
        self.cc -= cb * cb * gain
        self.cg -= cb * bg * gain
        self.gg -= bg * bg * gain
        self.b = self.bb = self.lb = self.cb = self.bg = 0.0

    def _surprise(self, miss_j: float, variance_j2: float) -> tuple[float, float]:
        self.log -= 0.5 * (miss_j * miss_j / variance_j2 + math.log(math.tau * variance_j2))
        return 1 / variance_j2, miss_j / variance_j2


# Kinds of events, in the order in which simultaneous ones happen.
CLOSE, SEE, BEGIN, OPEN, JUMP, PULSE, NODE, STOP = range(8)


class Event(NamedTuple):
    time_s: float
    kind: int
    value: float = 0.0
    since_s: float = 0.0
    until_s: float = 0.0


def follow(
    nodes: Sequence[tuple[float, float]],
    windows: Sequence[Window],
    at_s: float,
    levels: Sequence[Level],
    noise: Noise,
) -> Told:
    """Energy from the last node before *at_s* to it, by all paths that the readings allow.

    Args:
        nodes: instants in seconds and the energy at each in joules, two or more in order.
        windows: of power readings, in order, apart by more than the slip.
        at_s: an instant between the first and the last node.
        levels: what plateaus may have; shares add up to 1.
        noise: of the readings.
    """
    origin = max(i for i in range(len(nodes) - 1) if i == 0 or nodes[i][0] <= at_s)
    ground_s = nodes[origin][0]
    unit_w = math.sqrt(max(level.variance_w2 for level in levels))
    pulse_w = max(unit_w, LOFTY * levels[0].mean_w)
    unit_j = unit_w * (nodes[origin + 1][0] - ground_s) / 12
    paths = [Path(math.log(level.share), level, nodes[0][0]) for level in levels]
    b = g = False
    stay, leap = math.log(1 - JUMPS - PULSES), math.log(JUMPS / PLACES)
    for event in _events(nodes, windows, (ground_s, at_s), noise.slip_s):
        time_s, kind = event.time_s, event.kind
        if kind == JUMP:
            still = [path for path in paths if not path.jumped]
            off_s2 = event.value, _tail_s2(event, at_s, noise.transition.constant_s)
            for path in still:
                path.go(time_s, b=b, g=g)
            paths += [
                path.jump(leap + math.log(level.share), level, off_s2, b=b, g=g)
                for path in still
                for level in levels
            ]
            continue
        if kind == PULSE:
            paths += _pulses(paths, event, pulse_w, noise.slip_s, (b, g))
            continue
        for path in paths:
            path.go(time_s, b=b, g=g)
        if kind == NODE:
            for path in paths:
                path.log += 0.0 if path.jumped else stay
                path.see_counter(event.value, noise.counter_j2)
            paths = _likeliest(paths, unit_w, unit_j)
        elif kind == SEE:
            _see_power(paths, event, noise)
        elif kind in {OPEN, CLOSE}:
            b = kind == OPEN
        else:
            g = kind == BEGIN
            _note_power(paths)
    return _told(paths, noise.transition.share)


def _tail_s2(event: Event, at_s: float, transition_s: float) -> float:
    """Square of the part of a jump that is beyond an instant, in units of its leap.

    An exponential approach leaves most, by a factor of e, at the instant where a jump of the
    same energy is; its time constant is not known well, so that it fades slowly.
    """
    if not transition_s:
        return 0.0
    away_s = max(abs(at_s - event.time_s) - math.sqrt(3 * event.value), 0.0)
    left = 1 / (1 + (away_s / transition_s) ** 2)
    return float((transition_s * left / math.e) ** 2)


def _pulses(
    paths: Sequence[Path], event: Event, pulse_w: float, slip_s: float, grows: tuple[bool, bool]
) -> list[Path]:
    """Paths with a pulse in a stretch: one that begins in it, or goes on from the one before.

    One in a power reading's window may yet be unseen, as far as the window may be off.
    """
    b, g = grows
    length_s, until_s = max(event.until_s - event.since_s, SHORTEST_S), event.until_s
    brief_s = BRIEF * event.value
    begins = math.log(PULSES * length_s / event.value)
    lasts = math.log(-math.expm1(-length_s / brief_s) * brief_s / length_s)
    unseen = begins + math.log(min(slip_s / length_s, 1.0) / 2)
    energy_j2 = (pulse_w * min(length_s, brief_s)) ** 2
    new = []
    for path in paths:
        if path.pulsed_s == event.since_s:
            new.append(path.pulse(lasts, until_s, energy_j2, b=b, g=g))
        elif not path.jumped:
            new.append(path.pulse(begins, until_s, energy_j2, b=b, g=g))
            if b:
                new.append(path.pulse(unseen, until_s, energy_j2, b=False, g=g))
    return new


def _see_power(paths: Sequence[Path], event: Event, noise: Noise) -> None:
    for path in paths:
        near = path.jumped_s >= event.since_s - noise.slip_s
        slipped_j2 = path.leap_w2 * noise.slip_s**2 / 3 if near else 0.0
        path.see_power(event.value, noise.power_j2 + slipped_j2)


def _note_power(paths: Sequence[Path]) -> None:
    for path in paths:
        path.at_w = path.l


def _events(
    nodes: Sequence[tuple[float, float]],
    windows: Sequence[Window],
    asked_s: tuple[float, float],
    slip_s: float,
) -> list[Event]:
    events = [Event(asked_s[0], BEGIN), Event(asked_s[1], STOP)]
    after_s = min(end_s for end_s, _ in nodes if end_s > asked_s[1])
    for (start_s, before_j), (end_s, after_j) in pairwise(nodes):
        events += _places(start_s, end_s, asked_s[1])
        stretches = _stretches(start_s, end_s, windows, asked_s[1])
        if end_s == asked_s[0]:
            events.append(stretches[-1])
        elif start_s == asked_s[0]:
            events += stretches
        elif start_s == after_s:
            events.append(stretches[0])
        events.append(Event(end_s, NODE, after_j - before_j))
    for window in windows:
        events.append(Event(window.start_s, OPEN))
        events.append(Event(window.end_s, CLOSE))
        events.append(Event(window.end_s + slip_s, SEE, window.energy_j, window.start_s))
    return sorted(events)


def _places(start_s: float, end_s: float, at_s: float) -> list[Event]:
    """Where power may jump in a refresh: in the middle of stretches, none across *at_s*.

    A jump lies anywhere in its stretch, so that it must be wholly before or after the
    instant up to which energy is asked for.
    """
    cuts = [start_s, at_s, end_s] if start_s < at_s < end_s else [start_s, end_s]
    places = []
    for low_s, high_s in pairwise(cuts):
        count = max(round(PLACES * (high_s - low_s) / (end_s - start_s)), 1)
        step_s = (high_s - low_s) / count
        unsure_s2 = step_s * step_s / 12
        places += [Event(low_s + (i + 0.5) * step_s, JUMP, unsure_s2) for i in range(count)]
    return places


def _stretches(start_s: float, end_s: float, windows: Sequence[Window], at_s: float) -> list[Event]:
    """Where a pulse may lie in a refresh: each stretch adds to other energies than the next."""
    cuts = [at_s, *(cut_s for window in windows for cut_s in (window.start_s, window.end_s))]
    inside = sorted({cut_s for cut_s in cuts if start_s < cut_s < end_s})
    return [
        Event((low_s + high_s) / 2, PULSE, end_s - start_s, low_s, high_s)
        for low_s, high_s in pairwise([start_s, *inside, end_s])
    ]


def _likeliest(paths: list[Path], unit_w: float, unit_j: float) -> list[Path]:
    """The best paths; those that came to the same state count as one."""
    paths.sort(key=lambda path: -path.log)
    kept: dict[tuple[int, int, int], Path] = {}
    for path in paths:
        if path.log < paths[0].log - HOPELESS:
            break
        spread = math.log(max(path.ll, 1e-12))
        state = (round(8 * path.l / unit_w), round(1.5 * spread), round(path.g / unit_j))
        same = kept.get(state)
        if same is not None:
            same.log += math.log1p(math.exp(path.log - same.log))
        elif len(kept) < KEPT:
            kept[state] = path
    return list(kept.values())


def _told(paths: Sequence[Path], gradual: float) -> Told:
    top = max(path.log for path in paths)
    evidence = top + math.log(math.fsum(math.exp(path.log - top) for path in paths))
    shares = [math.exp(DISTRUST * (path.log - top)) for path in paths]
    total = math.fsum(shares)
    weights = [share / total for share in shares]
    energy = Mixture(
        tuple(
            part
            for weight, path in zip(weights, paths, strict=True)
            for part in _parts(weight, path, gradual)
        )
    )
    powers = [PowerAt(path.at_w, path.ll) for path in paths]
    return Told(evidence, energy, PowerAt.mixed(weights, powers))


def _parts(weight: float, path: Path, gradual: float) -> list[Normal]:
    """What a path says if it jumps at once, and if its jumps take their time."""
    sure_j2 = max(path.gg, 0.0)
    if path.tail_j2 <= NEGLIGIBLE * sure_j2:
        return [Normal(weight, path.g, sure_j2)]
    return [
        Normal((1 - gradual) * weight, path.g, sure_j2),
        Normal(gradual * weight, path.g, sure_j2 + path.tail_j2),
    ]
