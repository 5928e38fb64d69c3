"""The standard workload: a batch of requests of equal size, the same everywhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llem.config.identity import digest
from pytest_llem.errors import ConfigError
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Tokenizer

BYTES_PER_DRAW = 8
SHOWN_CHARACTERS = 40
LENGTH_ENOUGH = 20
"""Prompts this long differ in more ways, even with two tokens, than a batch has requests."""


def build_requests(config: ExperimentConfig, tokenizer: Tokenizer) -> list[Request]:
    """``batch_size`` requests of exactly ``input_tokens`` and ``output_tokens`` each.

    Synthetic prompts depend on the seed, their number in the batch, their
    length and the tokenizer's ids, on nothing else; they differ from one
    another as long as the vocabulary allows it. Prompts given as texts are used
    in turn, each cut or repeated to its length. No prompt holds a special token.

    Raises:
        ConfigError: a text of ``prompts`` has no tokens, or the tokenizer has
            none but special ones.
    """
    prompts = endless_prompts(config, tokenizer)
    return [
        Request(f"request-{number}", next(prompts), config.output_tokens)
        for number in range(config.batch_size)
    ]


def endless_prompts(config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[tuple[int, ...]]:
    """The experiment's prompts without end; a batch takes the first of them.

    Raises:
        ConfigError: as :func:`build_requests`, once the first one is taken.
    """
    return _from_texts(config, tokenizer) if config.prompts else _synthetic(config, tokenizer)


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


def _synthetic(config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[tuple[int, ...]]:
    special = tokenizer.special_token_ids
    ordinary = [i for i in range(tokenizer.vocabulary_size) if i not in special]
    if not ordinary:
        raise ConfigError(
            f"the tokenizer of {config.model!r} has no tokens but special ones, so there are no "
            "synthetic prompts for it. Choose another model."
        )
    different = len(ordinary) ** min(config.input_tokens, LENGTH_ENOUGH)
    seen: set[tuple[int, ...]] = set()
    number = 0
    while True:
        if len(seen) == different:
            seen.clear()
        prompt = _drawn(ordinary, config.input_tokens, f"{config.seed}/{number}")
        number += 1
        if config.input_tokens >= LENGTH_ENOUGH:  # they differ anyway, and there may be many
            yield prompt
        elif prompt not in seen:
            seen.add(prompt)
            yield prompt


def _drawn(ordinary: Sequence[int], count: int, seed: str) -> tuple[int, ...]:
    """*count* of the ids, drawn by SHAKE128 (FIPS 202), which is the same on every platform.

    A draw is the remainder of 64 bits, so for any vocabulary the ids' chances
    differ by less than one in a billion.
    """
    drawn = hashlib.shake_128(f"pytest-llem/prompt/{seed}".encode()).digest(count * BYTES_PER_DRAW)
    size = len(ordinary)
    return tuple(
        ordinary[int.from_bytes(drawn[at : at + BYTES_PER_DRAW], "little") % size]
        for at in range(0, len(drawn), BYTES_PER_DRAW)
    )


def _from_texts(config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[tuple[int, ...]]:
    texts = config.prompts or ()
    length = config.input_tokens
    prompts = []
    for number, text in enumerate(texts):
        special = tokenizer.special_token_ids
        ids = [token_id for token_id in tokenizer.encode(text) if token_id not in special]
        if not ids:
            shown = repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")
            raise ConfigError(
                f"prompts[{number}] ({shown}) has no tokens in the vocabulary of {config.model!r}. "
                "Give it some text, or leave it out."
            )
        repeats = -(-length // len(ids))
        prompts.append(tuple((ids * repeats)[:length]))
    while True:
        yield from prompts
