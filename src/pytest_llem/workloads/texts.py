"""Texts as tokens, of their own length or of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError
from pytest_llem.workloads.drawing import shuffled
from pytest_llem.workloads.lengths import sizes
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Tokenizer

SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A prompt as a file has it."""

    where: str
    """File and line, for messages."""
    text: str
    output_tokens: int | None = None
    """Its own output length; ``None`` if it has none."""


def requests_of(
    lines: Sequence[Line], config: ExperimentConfig, tokenizer: Tokenizer
) -> Iterator[Request]:
    """Requests without end made of *lines*, which are used in turn and read as they are needed.

    With ``own`` lengths a prompt is its text, and its output what the line says, else
    ``output_tokens``; otherwise prompts are cut or repeated to the lengths that are asked for.

    Raises:
        ConfigError: a text has no tokens.
    """
    order: Sequence[int] = range(len(lines))
    if config.workload.shuffle:
        order = shuffled(len(lines), f"lines/{config.seed}")
    for number, size in enumerate(sizes(config)):
        line = lines[order[number % len(order)]]
        prompt = tokens_of(line.text, tokenizer, line.where, config.model)
        output_tokens = size.output_tokens
        if config.workload.lengths != "own" or config.workload.input_lengths:
            prompt = fitted(prompt, size.input_tokens)
        if config.workload.lengths == "own" and not config.workload.output_lengths:
            output_tokens = line.output_tokens or size.output_tokens
        yield Request(f"request-{number}", prompt, output_tokens)


def tokens_of(text: str, tokenizer: Tokenizer, where: str, model: str) -> tuple[int, ...]:
    """Token ids of *text*, without special ones.

    Raises:
        ConfigError: there are none.
    """
    special = tokenizer.special_token_ids
    ids = tuple(token_id for token_id in tokenizer.encode(text) if token_id not in special)
    if not ids:
        shown = repr(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")
        raise ConfigError(
            f"{where} ({shown}) has no tokens in the vocabulary of {model!r}. "
            "Give it some text, or leave it out."
        )
    return ids


def fitted(ids: Sequence[int], length: int) -> tuple[int, ...]:
    """*ids* cut or repeated to *length*."""
    repeats = -(-length // len(ids))
    return tuple((tuple(ids) * repeats)[:length])
