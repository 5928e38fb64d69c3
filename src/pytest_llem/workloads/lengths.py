"""How long each request of a batch is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import count
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from pytest_llem.errors import ConfigError
from pytest_llem.workloads.cutting import Limits, means_before
from pytest_llem.workloads.drawing import uniform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.config.experiment import ExperimentConfig

MOST_DRAWS = 1000


class Size(NamedTuple):
    """Tokens of one request."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Two independent log-normal distributions, and what of them is drawn again."""

    input_mean: float
    output_mean: float
    input_sigma: float
    output_sigma: float
    least: int = 1
    most_input: float = math.inf
    most_output: float = math.inf
    most_together: float = math.inf

    def fits(self, size: Size) -> bool:
        return (
            self.least <= size.input_tokens <= self.most_input
            and self.least <= size.output_tokens <= self.most_output
            and sum(size) <= self.most_together
        )


MEANS = {"sharegpt": (161.31, 337.99), "alpaca": (19.31, 58.45)}
"""Mean tokens in and out by Kwon et al., Efficient Memory Management for Large Language Model Serving
with PagedAttention (SOSP 2023), figure 11. They say nothing of the distributions' form: that it is
log-normal, with the sigmas of the configuration, is this project's own declaration."""
LEAST, MOST_INPUT, MOST_TOGETHER = 4, 1024, 2048
"""What vLLM's benchmark_throughput.py leaves out when it samples ShareGPT: prompts and outputs below
4 tokens, prompts above 1024, and requests above 2048 together. The means are of what is left."""


def sizes(config: ExperimentConfig) -> Iterator[Size]:
    """Sizes of requests without end, by the seed; those of ``own`` lengths are as if fixed.

    Raises:
        ConfigError: hardly anything that is drawn is within the limits.
    """
    workload = config.workload
    distribution = distribution_of(config)
    inputs, outputs = workload.input_lengths, workload.output_lengths
    size = Size(config.input_tokens, config.output_tokens)
    for number in count():
        if distribution is not None:
            size = _drawn(distribution, config.seed, number)
        yield Size(
            inputs[number % len(inputs)] if inputs else size.input_tokens,
            outputs[number % len(outputs)] if outputs else size.output_tokens,
        )


def distribution_of(config: ExperimentConfig) -> Distribution | None:
    """What lengths are drawn from, or ``None`` if they are not drawn."""
    workload = config.workload
    means: tuple[float, float]
    sigmas = (workload.input_sigma, workload.output_sigma)
    most = workload.max_tokens or math.inf
    if workload.lengths == "lognormal":
        means = (config.input_tokens, config.output_tokens)
        return Distribution(*means, *sigmas, 1, most, most)
    if workload.lengths in MEANS:
        means = means_before_cutting(workload.lengths, *sigmas)
        return Distribution(*means, *sigmas, LEAST, min(most, MOST_INPUT), most, MOST_TOGETHER)
    return None


@cache
def means_before_cutting(
    lengths: str, input_sigma: float, output_sigma: float
) -> tuple[float, float]:
    """Means of what is drawn, of which those that are kept have the means that were published."""
    limits = Limits(LEAST, MOST_INPUT, MOST_TOGETHER)
    return means_before(MEANS[lengths], (input_sigma, output_sigma), limits)


def _drawn(distribution: Distribution, seed: int, number: int) -> Size:
    for attempt in range(MOST_DRAWS):
        place = f"{seed}/{number}/{attempt}"
        size = Size(
            _length(distribution.input_mean, distribution.input_sigma, f"input/{place}"),
            _length(distribution.output_mean, distribution.output_sigma, f"output/{place}"),
        )
        if distribution.fits(size):
            return size
    raise ConfigError(
        "hardly any length that workload.lengths draws is within workload.max_tokens. Raise it, "
        "or lower input_tokens and output_tokens, which are the means."
    )


def _length(mean: float, sigma: float, place: str) -> int:
    """A log-normal variable with this *mean*, rounded: its logarithm's is ``ln(mean) - sigma²/2``."""
    deviation = NormalDist().inv_cdf(uniform(f"lengths/{place}"))
    return max(1, round(math.exp(math.log(mean) - sigma**2 / 2 + sigma * deviation)))
