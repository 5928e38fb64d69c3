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
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.courses.events import (
    BEGIN,
    CLOSE,
    JUMP,
    NODE,
    OPEN,
    PLACES,
    PULSE,
    SEE,
    Event,
    events_of,
)
from pytest_llem.energy.estimator.courses.path import Path
from pytest_llem.energy.estimator.courses.power_at import PowerAt
from pytest_llem.energy.estimator.courses.transition import AT_ONCE, Transition
from pytest_llem.energy.estimator.mixture import Mixture, Normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.estimator.courses.events import Window
    from pytest_llem.energy.estimator.courses.path import Level

KEPT, KEPT_PULSED = 14, 8
"""Paths kept at the end of a refresh: those without a pulse, and those with one, which crowd out
no others."""
JUMPS = 0.3
"""Share of the refreshes that hold a jump."""
PULSES = 0.01
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
    for event in events_of(nodes, windows, (ground_s, at_s), noise.slip_s):
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

    How long pulses last is exponential. One in a power reading's window may yet be unseen, as
    far as the window may be off.
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
            longer = path.pulse(path.lasts, until_s, energy_j2, b=b, g=g)
            longer.lasts = -length_s / brief_s
            new.append(longer)
        elif not path.jumped:
            begun = [path.pulse(begins, until_s, energy_j2, b=b, g=g)]
            if b:
                begun.append(path.pulse(unseen, until_s, energy_j2, b=False, g=g))
            for one in begun:
                one.lasts = lasts
            new += begun
    return new


def _see_power(paths: Sequence[Path], event: Event, noise: Noise) -> None:
    for path in paths:
        near = path.jumped_s >= event.since_s - noise.slip_s
        slipped_j2 = path.leap_w2 * noise.slip_s**2 / 3 if near else 0.0
        path.see_power(event.value, noise.power_j2 + slipped_j2)


def _note_power(paths: Sequence[Path]) -> None:
    for path in paths:
        path.at_w = path.l


def _likeliest(paths: list[Path], unit_w: float, unit_j: float) -> list[Path]:
    """The best paths; those that came to the same state count as one."""
    paths.sort(key=lambda path: -path.log)
    kept: dict[tuple[int, int, int], Path] = {}
    room = {False: KEPT, True: KEPT_PULSED}
    for path in paths:
        if path.log < paths[0].log - HOPELESS:
            break
        spread = math.log(max(path.ll, 1e-12))
        state = (round(8 * path.l / unit_w), round(1.5 * spread), round(path.g / unit_j))
        same = kept.get(state)
        if same is not None:
            same.log += math.log1p(math.exp(path.log - same.log))
        elif room[path.has_pulse] > 0:
            room[path.has_pulse] -= 1
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
