"""Prompts made of drawn tokens, or of a short list of texts."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice, tee
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.errors import ConfigError
from pytest_llem.workloads.drawing import drawn_ids
from pytest_llem.workloads.lengths import sizes
from pytest_llem.workloads.request import Request
from pytest_llem.workloads.texts import fitted, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.workloads.request import Tokenizer

LENGTH_ENOUGH = 20
"""Prompts this long differ in more ways, even with two tokens, than a batch has requests."""


class SyntheticWorkload:
    """``batch_size`` requests of exact lengths.

    Synthetic prompts depend on the seed, their number in the batch, their
    length and the tokenizer's ids, on nothing else; they differ from one
    another as long as the vocabulary allows it. Prompts given as texts are used
    in turn, each cut or repeated to its length. No prompt holds a special token.
    """

    name: ClassVar[str] = "synthetic"
    api_version: ClassVar[int] = 1

    def requests(self, config: ExperimentConfig, tokenizer: Tokenizer) -> list[Request]:
        """The requests of one pass.

        Raises:
            ConfigError: a text of ``prompts`` has no tokens, or the tokenizer has
                none but special ones.
        """
        return list(islice(self.endless(config, tokenizer), config.batch_size))

    def endless(self, config: ExperimentConfig, tokenizer: Tokenizer) -> Iterator[Request]:
        """Those of the first pass, and further ones like them.

        Raises:
            ConfigError: as :meth:`requests`.
        """
        asked, again = tee(sizes(config))
        lengths = (size.input_tokens for size in again)
        prompts = (_from_texts if config.prompts else _synthetic)(config, tokenizer, lengths)
        for number, (prompt, size) in enumerate(zip(prompts, asked, strict=False)):
            yield Request(f"request-{number}", prompt, size.output_tokens)


def ordinary_ids(config: ExperimentConfig, tokenizer: Tokenizer) -> list[int]:
    """Ids that prompts may be made of.

    Raises:
        ConfigError: there are none.
    """
    special = tokenizer.special_token_ids
    ordinary = [i for i in range(tokenizer.vocabulary_size) if i not in special]
    if not ordinary:
        raise ConfigError(
            f"the tokenizer of {config.model!r} has no tokens but special ones, so there are no "
            "synthetic prompts for it. Choose another model."
        )
    return ordinary


def _synthetic(
    config: ExperimentConfig, tokenizer: Tokenizer, lengths: Iterable[int]
) -> Iterator[tuple[int, ...]]:
    ordinary = ordinary_ids(config, tokenizer)
    seen: dict[int, set[tuple[int, ...]]] = defaultdict(set)
    number = 0
    for length in lengths:
        known = seen[length]
        if len(known) == len(ordinary) ** min(length, LENGTH_ENOUGH):
            known.clear()
        prompt = None
        while prompt is None or prompt in known:
            prompt = drawn_ids(ordinary, length, f"{config.seed}/{number}")
            number += 1
        if length < LENGTH_ENOUGH:  # others differ anyway, and there may be many
            known.add(prompt)
        yield prompt


def _from_texts(
    config: ExperimentConfig, tokenizer: Tokenizer, lengths: Iterable[int]
) -> Iterator[tuple[int, ...]]:
    prompts = [
        tokens_of(text, tokenizer, f"prompts[{number}]", config.model)
        for number, text in enumerate(config.prompts or ())
    ]
    for number, length in enumerate(lengths):
        yield fitted(prompts[number % len(prompts)], length)
