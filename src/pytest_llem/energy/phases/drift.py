"""A drift of the windows over the whole, along which others are carried to their time."""

from __future__ import annotations

import math
from operator import mul
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.student import student_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import WindowSample

LEAST_WINDOWS = 3
"""A line through two points leaves nothing that says how well it is known."""
FARTHEST = 0.5
"""A drift that leads to less than this share of a window's energy, or to more than its inverse,
is no line so far."""


class Drift(NamedTuple):
    """How the energy of a pass changes with time, relative to its mean."""

    rate_per_s: float
    half_width_per_s: float
    """Of the 95 % interval of the rate."""
    middle_s: float
    """When the energy is the mean (``time.monotonic``)."""

    def ahead_s(self, sample: WindowSample) -> float:
        """How much later than the middle of the whole a window's middle is."""
        return _middle_s(sample) - self.middle_s

    def factor(self, sample: WindowSample) -> float:
        """What a pass takes in a window, in multiples of the same pass in the middle."""
        return 1 + self.rate_per_s * self.ahead_s(sample)

    @property
    def told(self) -> str:
        """That windows were carried, as a sentence."""
        return (
            f"Energy drifted by {self.rate_per_s:.2g} of itself a second over the windows of the "
            "whole, along which it was carried back."
        )

    @property
    def bounds(self) -> tuple[Drift, Drift]:
        """The same with the least and the greatest rate that it may have."""
        low, high = (self.rate_per_s + sign * self.half_width_per_s for sign in (-1, 1))
        return self._replace(rate_per_s=low), self._replace(rate_per_s=high)

    def beyond(self, samples: Sequence[WindowSample]) -> str:
        """Why some of *samples* cannot be carried, as a sentence; empty if all can."""
        if all(FARTHEST < self.factor(sample) < 1 / FARTHEST for sample in samples):
            return ""
        return (
            f"Energy drifts by {self.rate_per_s:.2g} of itself a second over the windows of the "
            "whole, which leads too far until the windows for the phases were measured. Let it "
            "settle (measurement.warmup_max_s)."
        )

    def carried(self, sample: WindowSample) -> WindowSample:
        """*sample* as it would have been in the middle, if it is not :meth:`beyond`."""
        factor = self.factor(sample)
        stated_j = sample.energy_uncertainty_j
        return sample.model_copy(
            update={
                "energy_j": None if sample.energy_j is None else sample.energy_j / factor,
                "energy_uncertainty_j": None if stated_j is None else stated_j / factor,
            }
        )

    def half_width_j(self, energies_j: Sequence[float], samples: Sequence[WindowSample]) -> float:
        """What the rate leaves open of a sum of energies that were carried, in joules.

        Args:
            energies_j: what each window contributes.
            samples: the windows.
        """
        return self.half_width_per_s * abs(
            math.fsum(
                energy_j * self.ahead_s(sample) / self.factor(sample)
                for energy_j, sample in zip(energies_j, samples, strict=True)
            )
        )


def drift_of(samples: Sequence[WindowSample]) -> Drift | None:
    """The drift of windows that repeat the same; ``None`` unless it is significant.

    A straight line by least squares, with Student's interval of its slope (Draper and Smith,
    Applied Regression Analysis, 1998, chapter 1). A slope that may be none is not used: it
    would move what is carried by noise.

    Args:
        samples: valid windows with an energy and passes.
    """
    energies_j = [(sample.energy_j or 0.0) / sample.passes for sample in samples]
    times_s = [_middle_s(sample) for sample in samples]
    if len(samples) < LEAST_WINDOWS or min(energies_j) <= 0 or len(set(energies_j)) == 1:
        return None
    mean_j, middle_s = fmean(energies_j), fmean(times_s)
    off = [energy_j / mean_j - 1 for energy_j in energies_j]
    ahead_s = [time_s - middle_s for time_s in times_s]
    squares = math.fsum(one * one for one in ahead_s)
    if not squares:
        return None
    rate_per_s = math.fsum(map(mul, ahead_s, off)) / squares
    degrees = len(samples) - 2
    missed = math.fsum((y - rate_per_s * t) ** 2 for t, y in zip(ahead_s, off, strict=True))
    half_width_per_s = student_95(degrees) * math.sqrt(missed / degrees / squares)
    if abs(rate_per_s) <= half_width_per_s:
        return None
    return Drift(rate_per_s, half_width_per_s, middle_s)


def _middle_s(sample: WindowSample) -> float:
    return (sample.start_ns + sample.end_ns) / 2e9
