"""Power at an instant, as the explanations of what was read have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.energy.estimator.mixture import mixed

if TYPE_CHECKING:
    from collections.abc import Sequence


class PowerAt(NamedTuple):
    """Power at an instant, as far as it is known."""

    mean_w: float
    variance_w2: float

    @classmethod
    def mixed(cls, weights: Sequence[float], each: Sequence[PowerAt]) -> PowerAt:
        """Of several explanations, whose weights add up to one."""
        return cls(*mixed([(weight, *one) for weight, one in zip(weights, each, strict=True)]))
