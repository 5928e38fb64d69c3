"""Requests without end, each with a prompt of its own."""

from __future__ import annotations

from itertools import count, repeat
from typing import TYPE_CHECKING

from pytest_llem.workloads.arrivals import arrival_times_s
from pytest_llem.workloads.batch import endless_prompts
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Tokenizer


def traffic_requests(
    config: ExperimentConfig, tokenizer: Tokenizer, output_tokens: int | None = None
) -> Iterator[Request]:
    """The experiment's requests, endlessly: those of a batch first, then others like them.

    Prompts do not repeat, so that no server finds them in its cache of prefixes, unless they
    are given as texts. Arrival times are set where the traffic has a rate.

    Args:
        config: the experiment.
        tokenizer: of its model.
        output_tokens: length of every answer, other than the experiment's.

    Raises:
        ConfigError: a text of ``prompts`` has no tokens.
    """
    prompts = endless_prompts(config, tokenizer)
    times_s: Iterator[float | None] = repeat(None)
    if (rate := config.traffic.rate_per_s) is not None:
        times_s = arrival_times_s(rate, config.traffic.burstiness, config.seed)
    for number, prompt, arrival_s in zip(count(), prompts, times_s, strict=False):
        length = config.output_tokens if output_tokens is None else output_tokens
        yield Request(f"request-{number}", prompt, length, arrival_s=arrival_s)
