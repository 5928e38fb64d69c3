"""Log-normal lengths of which some are drawn again: with which means the rest has given ones."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from statistics import NormalDist
from typing import NamedTuple

MOST_ROUNDS = 1000
NARROW = 0.1
"""Standard deviation of the logarithm below which hardly anything is far from the mean."""
NEAR = 1e-7
"""Relative difference of means that is no longer improved."""
DIGITS = 6
"""Decimals of the outcome, so that it is one number on machines whose ``erf`` differ by a bit."""
_STANDARD = NormalDist()


class Limits(NamedTuple):
    """Sizes, in tokens, outside of which a request is drawn again."""

    least: int
    """Of a prompt and of an output."""
    most_input: int
    most_together: int


def means_before(
    wanted: tuple[float, float], sigmas: tuple[float, float], limits: Limits
) -> tuple[float, float]:
    """Means of prompt and output such that those within *limits* have the means *wanted*.

    A limit for both together makes each depend on the other, so they are improved in turn, each
    in proportion to what it misses. Narrow distributions are left as they are: the limits are far
    from their means, which whole tokens move more.
    """
    means = wanted
    free = [sigma >= NARROW for sigma in sigmas]
    for _ in range(MOST_ROUNDS):
        kept = means_kept(means, sigmas, limits)
        ratios = [
            want / has if may else 1.0 for want, has, may in zip(wanted, kept, free, strict=True)
        ]
        if all(abs(ratio - 1) < NEAR for ratio in ratios):
            break
        means = (means[0] * ratios[0], means[1] * ratios[1])
    return round(means[0], DIGITS), round(means[1], DIGITS)


def means_kept(
    means: tuple[float, float], sigmas: tuple[float, float], limits: Limits
) -> tuple[float, float]:
    """Means of whole prompt and output lengths, of those that are within *limits*."""
    least = limits.least
    inputs = _chances(means[0], sigmas[0], least, limits.most_input)
    outputs = _chances(means[1], sigmas[1], least, limits.most_together - least)
    up_to = list(accumulate(outputs))
    sum_up_to = list(accumulate(chance * at for at, chance in enumerate(outputs, least)))
    total = input_sum = output_sum = 0.0
    for length, chance in enumerate(inputs, least):
        longest = limits.most_together - length - least
        total += chance * up_to[longest]
        input_sum += length * chance * up_to[longest]
        output_sum += chance * sum_up_to[longest]
    return input_sum / total, output_sum / total


def _chances(mean: float, sigma: float, least: int, most: int) -> list[float]:
    """Of each length from *least* to *most*: that a rounded draw is it."""
    center = math.log(mean) - sigma**2 / 2
    if not sigma:
        return [float(length == round(mean)) for length in range(least, most + 1)]
    edges = [
        _STANDARD.cdf((math.log(length - 0.5) - center) / sigma)
        for length in range(least, most + 2)
    ]
    return [above - below for below, above in pairwise(edges)]
