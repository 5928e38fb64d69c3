"""Requests without end, and when they come."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pytest_llem.workloads import WORKLOADS
from pytest_llem.workloads.arrivals import arrival_times_s
from pytest_llem.workloads.batch import build_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Request, Tokenizer


@runtime_checkable
class Endless(Protocol):
    """A workload that has more requests than those of one pass."""

    def endless(self, config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[Request]:
        """Those of the first pass, and further ones like them, without end.

        Raises:
            ConfigError: as ``requests`` does.
            MissingExtraError: as ``requests`` does.
        """
        ...


def traffic_requests(config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[Request]:
    """The experiment's requests, endlessly: those of a batch first, then others like them.

    Synthetic prompts do not repeat, so that no server finds them in its cache of prefixes;
    texts are used in turn, and so is the batch of a workload that has no more than that.
    Arrival times are set where the traffic has a rate.

    Raises:
        ConfigError: there is no such workload, or it cannot be had as configured.
        ComponentError: the workload of another distribution is broken.
    """
    requests = _endless(config, tokenizer)
    if (rate := config.traffic.rate_per_s) is None:
        return requests
    times_s = arrival_times_s(rate, config.traffic.burstiness, config.seed)
    return (
        replace(request, arrival_s=arrival_s)
        for request, arrival_s in zip(requests, times_s, strict=False)
    )


def _endless(config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[Request]:
    batch = build_requests(config, tokenizer)  # says what is wrong with it
    workload = WORKLOADS.load(config.workload.source)()
    if isinstance(workload, Endless):
        return workload.endless(config, tokenizer)
    return _in_turn(batch)


def _in_turn(batch: list[Request]) -> Iterator[Request]:
    for number, request in enumerate(cycle(batch)):
        yield replace(request, request_id=f"request-{number}")
