"""The batches of one pass, whatever workload they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.config.identity import digest
from pytest_llem.errors import ConfigError
from pytest_llem.workloads import WORKLOADS
from pytest_llem.workloads.chats import turns_of
from pytest_llem.workloads.synthetic import ordinary_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Request, Tokenizer


def check_source(config: ExperimentConfig) -> None:
    """Find out what can be wrong with the workload before a model is loaded for it.

    Raises:
        ConfigError: there is no such workload, or its file is not there or not the one it was.
        ComponentError: the workload of another distribution is broken.
    """
    WORKLOADS.load(config.workload.source)
    if config.workload.path is not None:
        from pytest_llem.workloads.jsonl import read_pinned

        read_pinned(config.workload)


def build_requests(config: ExperimentConfig, tokenizer: Tokenizer) -> list[Request]:
    """The requests of one pass, or the first turns of its chats.

    Raises:
        ConfigError: there is no such workload, or it cannot be had as configured.
        ComponentError: the workload of another distribution is broken.
    """
    source = config.workload.source
    requests = list(WORKLOADS.load(source)().requests(config, tokenizer))
    if not requests or not all(one.prompt_token_ids and one.output_tokens for one in requests):
        raise ConfigError(
            f"the workload {source!r} has a request without a prompt or an output, or no request."
        )
    return requests


def build_batches(config: ExperimentConfig, tokenizer: Tokenizer) -> list[list[Request]]:
    """The batches of one pass: a single one, or one for each turn of its chats.

    Raises:
        ConfigError: as :func:`build_requests` does.
        ComponentError: as :func:`build_requests` does.
    """
    first = build_requests(config, tokenizer)
    workload = config.workload
    if workload.turns == 1:
        return [first]
    ordinary = ordinary_ids(config, tokenizer)
    return turns_of(first, workload.turns, workload.turn_tokens, ordinary, config.seed)


def prefill_only(requests: Sequence[Request]) -> list[Request]:
    """The same requests, each over with its first token."""
    return with_output(requests, 1)


def with_output(requests: Sequence[Request], output_tokens: int) -> list[Request]:
    """The same requests, each with so many tokens to generate."""
    return [replace(request, output_tokens=output_tokens) for request in requests]


def workload_hash(requests: Sequence[Request]) -> str:
    """SHA-256 over all that is asked, shortened to 16 digits; the requests' names do not count."""
    return digest(
        [
            [
                request.kind,
                request.prompt_token_ids,
                request.output_tokens,
                request.ignore_eos,
                request.arrival_s,
            ]
            for request in requests
        ]
    )
