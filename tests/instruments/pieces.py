"""Curves of pieces: constant, straight, or approaching a power exponentially; with jumps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instruments.curve import SECOND_NS, Curve
from instruments.spelling import spell_ns

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of power: constant if ``end_w`` is ``None``, else a straight line to it."""

    duration_ns: int
    start_w: float
    end_w: float | None = None
    tau_ns: int | None = None
    """With it, power approaches ``end_w`` exponentially with this time constant."""

    @property
    def aim_w(self) -> float:
        return self.start_w if self.end_w is None else self.end_w

    def power_w(self, into_ns: int) -> float:
        if self.tau_ns is None:
            return self.start_w + (self.aim_w - self.start_w) * (into_ns / self.duration_ns)
        return self.aim_w + (self.start_w - self.aim_w) * math.exp(-into_ns / self.tau_ns)

    def energy_nj(self, first_ns: int, last_ns: int) -> float:
        """Energy between two instants of the piece, in nanojoules (W · ns)."""
        length_ns = last_ns - first_ns
        if self.tau_ns is None:
            return (self.power_w(first_ns) + self.power_w(last_ns)) / 2 * length_ns
        away_nj = (self.power_w(first_ns) - self.aim_w) * self.tau_ns
        return self.aim_w * length_ns - away_nj * math.expm1(-length_ns / self.tau_ns)

    def lagged_w(self, first_ns: int, last_ns: int, lag_ns: int) -> float:
        """What the stretch adds to a lagging sensor at its end, *last_ns*.

        The integral of power times ``exp(-age / lag) / lag`` over ages from 0 to the
        stretch's length.
        """
        length_ns = last_ns - first_ns
        left = math.exp(-length_ns / lag_ns)
        gone = -math.expm1(-length_ns / lag_ns)
        if self.tau_ns is not None:
            return self.aim_w * gone + self._approach_lagged_w(first_ns, last_ns, lag_ns)
        slope = (self.aim_w - self.start_w) / self.duration_ns
        return self.power_w(last_ns) * gone - slope * (lag_ns * gone - length_ns * left)

    def _approach_lagged_w(self, first_ns: int, last_ns: int, lag_ns: int) -> float:
        tau_ns = self.tau_ns or 0
        length_ns = last_ns - first_ns
        rate = 1 / lag_ns - 1 / tau_ns
        away_w = self.start_w - self.aim_w
        newest = math.exp(-last_ns / tau_ns)
        if rate == 0:
            return away_w * newest * length_ns / lag_ns
        if abs(rate * length_ns) < 1:
            return away_w * newest * -math.expm1(-rate * length_ns) / (rate * lag_ns)
        oldest = math.exp(-first_ns / tau_ns - length_ns / lag_ns)
        return away_w * (newest - oldest) / (rate * lag_ns)

    def script(self) -> str:
        words = [spell_ns(self.duration_ns), f"{self.start_w!r}", f"{self.aim_w!r}"]
        return ":".join(words if self.tau_ns is None else [*words, spell_ns(self.tau_ns)])


@dataclass(frozen=True, slots=True)
class Pieces(Curve):
    """Pieces one after the other, repeated for ever; jumps are allowed."""

    pieces: tuple[Piece, ...]
    origin_ns: int = 0

    @property
    def period_ns(self) -> int:
        return sum(piece.duration_ns for piece in self.pieces)

    def power_w(self, t_ns: int) -> float:
        into = (t_ns - self.origin_ns) % self.period_ns
        for piece in self.pieces:
            if into < piece.duration_ns:
                return piece.power_w(into)
            into -= piece.duration_ns
        raise AssertionError("an instant lies within its period")

    def energy_j(self, start_ns: int, end_ns: int) -> float:
        if end_ns < start_ns:
            return -self.energy_j(end_ns, start_ns)
        repeats, rest = divmod(end_ns - start_ns, self.period_ns)
        whole = repeats * self._between(0, self.period_ns)
        first = (start_ns - self.origin_ns) % self.period_ns
        beyond = max(first + rest - self.period_ns, 0)
        part = self._between(first, first + rest - beyond) + self._between(0, beyond)
        return (whole + part) / SECOND_NS

    def lagged_w(self, t_ns: int, lag_ns: int) -> float:
        into = (t_ns - self.origin_ns) % self.period_ns
        parts = []
        for piece, first_ns, last_ns, age_ns in self._one_period_before(into):
            parts.append(piece.lagged_w(first_ns, last_ns, lag_ns) * math.exp(-age_ns / lag_ns))
        return math.fsum(parts) / -math.expm1(-self.period_ns / lag_ns)

    def script(self) -> str:
        said = " ".join(piece.script() for piece in self.pieces)
        return f"curve pieces {said} from={spell_ns(self.origin_ns)}"

    def _between(self, first_ns: int, last_ns: int) -> float:
        """Energy between two instants of the first period, in nanojoules."""
        return math.fsum(
            piece.energy_nj(max(first_ns - begin, 0), min(last_ns - begin, piece.duration_ns))
            for piece, begin in self._begins()
            if first_ns < begin + piece.duration_ns and last_ns > begin
        )

    def _begins(self) -> Iterator[tuple[Piece, int]]:
        begin = 0
        for piece in self.pieces:
            yield piece, begin
            begin += piece.duration_ns

    def _one_period_before(self, into_ns: int) -> Iterator[tuple[Piece, int, int, int]]:
        """Stretches of the period that ends *into_ns*: piece, first, last, age of the last."""
        for piece, begin in self._begins():
            cut = min(max(into_ns - begin, 0), piece.duration_ns)
            if cut > 0:
                yield piece, 0, cut, into_ns - begin - cut
            if cut < piece.duration_ns:
                end = begin + piece.duration_ns
                yield piece, cut, piece.duration_ns, into_ns - end + self.period_ns
