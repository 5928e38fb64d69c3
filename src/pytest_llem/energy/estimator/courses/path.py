"""One way in which power may have run: plateaus, jumps and pulses."""

from __future__ import annotations

import math
from copy import copy
from typing import NamedTuple


class Level(NamedTuple):
    """A power that a plateau may have."""

    share: float
    """Of all plateaus."""
    mean_w: float
    variance_w2: float


class Path:
    """One way in which power may have run, as a normal distribution of four quantities.

    The level ``l``, and the energies ``c`` since the last node, ``b`` since the start of
    a power reading's window, ``g`` from the instant's node to the instant; ``xy`` is the
    covariance of ``x`` and ``y``. ``at_w`` was the level at the instant,
    ``lasts`` is the log of the chance that its pulse goes on.
    """

    __slots__ = (
        "at_w", "b", "bb", "bg", "c", "cb", "cc", "cg", "g", "gg", "jumped", "jumped_s", "l", "lasts", "lb", "lc",
        "leap_w2", "lg", "ll", "log", "pulsed_s", "tail_j2", "time_s",
    )  # fmt: skip

    def __init__(self, log: float, level: Level, time_s: float) -> None:
        self.log, self.l, self.ll, self.time_s = log, level.mean_w, level.variance_w2, time_s
        self.c = self.b = self.g = self.lc = self.lb = self.lg = 0.0
        self.cc = self.cb = self.cg = self.bb = self.bg = self.gg = 0.0
        self.jumped, self.jumped_s, self.leap_w2 = False, -math.inf, 0.0
        self.pulsed_s, self.lasts, self.tail_j2 = -math.inf, 0.0, 0.0
        self.at_w = level.mean_w

    @property
    def has_pulse(self) -> bool:
        """Whether a pulse is part of it."""
        return self.pulsed_s > -math.inf

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
        new.pulsed_s, new.lasts, new.at_w = self.pulsed_s, self.lasts, self.at_w
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
