"""Where a tolerance lies, as bounds on the logarithm of the metric now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.baselines.arrays import Floats
    from pytest_llem.baselines.rules import Rule


def bounds(rule: Rule, baselines: Floats, sign: int) -> Iterator[tuple[Floats, Floats]]:
    """Bounds of *rule* around *baselines*, logarithms of the metric there: above, or below.

    A change exceeds a rule only if it exceeds each of them.

    Args:
        rule: what is tolerated.
        baselines: one a comparison.
        sign: 1 for the bounds above, -1 for those below.

    Yields:
        Logarithm of a bound, minus infinity where no positive value reaches it, and its gain: how
        it moves with the baseline's logarithm, 1 for a ratio.
    """
    if rule.relative is not None:
        factor = 1 + sign * rule.relative
        log = np.log(factor) if factor > 0 else -np.inf
        yield baselines + log, np.ones_like(baselines)
    if rule.absolute is not None:
        values = np.exp(baselines)
        bound = values + sign * rule.absolute
        reached = bound > 0
        safe = np.where(reached, bound, 1.0)
        yield np.where(reached, np.log(safe), -np.inf), np.where(reached, values / safe, 0.0)
