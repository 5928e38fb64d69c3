"""The batch workload: fixed sizes, the same prompts everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.errors import ConfigError
from pytest_llem.workloads.batch import build_requests, prefill_only, workload_hash

PINNED_PROMPT = (180, 26, 229, 60, 41, 26, 34, 251)
PINNED_HASH = "3e3b535132ba4ed6"


@dataclass(frozen=True)
class Letters:
    """One token a character; spaces have none, and an exclamation mark is special."""

    vocabulary_size: int = 300
    special_token_ids: frozenset[int] = frozenset({33})

    def encode(self, text: str) -> list[int]:
        return [ord(character) % self.vocabulary_size for character in text if character != " "]


sizes = st.integers(min_value=1, max_value=40)
tokenizers = st.integers(min_value=2, max_value=500).flatmap(
    lambda size: st.builds(
        Letters,
        vocabulary_size=st.just(size),
        special_token_ids=st.frozensets(st.integers(0, size - 1), max_size=size - 1),
    )
)


@given(batch=sizes, length=sizes, output=sizes, seed=st.integers(0, 2**32 - 1), tokens=tokenizers)
def test_every_request_has_exactly_the_size_that_was_asked(
    batch: int, length: int, output: int, seed: int, tokens: Letters
) -> None:
    config = ExperimentConfig(
        batch_size=batch, input_tokens=length, output_tokens=output, seed=seed
    )
    requests = build_requests(config, tokens)
    assert len(requests) == batch
    assert len({request.request_id for request in requests}) == batch
    for request in requests:
        assert len(request.prompt_token_ids) == length
        assert request.output_tokens == output
        assert request.ignore_eos
        assert not tokens.special_token_ids & set(request.prompt_token_ids)
        assert all(0 <= token < tokens.vocabulary_size for token in request.prompt_token_ids)


@given(batch=sizes, length=sizes, seed=st.integers(0, 2**32 - 1), tokens=tokenizers)
def test_prompts_differ_as_long_as_the_vocabulary_allows_it(
    batch: int, length: int, seed: int, tokens: Letters
) -> None:
    config = ExperimentConfig(batch_size=batch, input_tokens=length, seed=seed)
    prompts = {request.prompt_token_ids for request in build_requests(config, tokens)}
    ordinary = tokens.vocabulary_size - len(tokens.special_token_ids)
    assert len(prompts) == min(batch, ordinary**length)


@given(small=sizes, large=sizes, length=sizes, seed=st.integers(0, 2**32 - 1))
def test_a_larger_batch_begins_with_the_prompts_of_a_smaller_one(
    small: int, large: int, length: int, seed: int
) -> None:
    few, many = (
        build_requests(
            ExperimentConfig(batch_size=batch, input_tokens=length, seed=seed), Letters()
        )
        for batch in sorted((small, large))
    )
    assert many[: len(few)] == few


def test_the_prompts_are_the_same_on_every_machine_and_python() -> None:
    config = ExperimentConfig(batch_size=4, input_tokens=8, output_tokens=3, seed=7)
    requests = build_requests(config, Letters())
    assert requests[0].prompt_token_ids == PINNED_PROMPT
    assert workload_hash(requests) == PINNED_HASH


def test_another_seed_gives_other_prompts() -> None:
    first, second = (
        build_requests(ExperimentConfig(batch_size=2, seed=seed), Letters()) for seed in (0, 1)
    )
    assert workload_hash(first) != workload_hash(second)


def test_synthetic_prompts_use_the_whole_vocabulary_evenly() -> None:
    config = ExperimentConfig(batch_size=8, input_tokens=4096)
    requests = build_requests(config, Letters(vocabulary_size=16, special_token_ids=frozenset()))
    counts = [
        sum(request.prompt_token_ids.count(token) for request in requests) for token in range(16)
    ]
    expected = 8 * 4096 / 16
    assert all(abs(count - expected) < 6 * expected**0.5 for count in counts)


@given(
    texts=st.lists(st.text("abc !", min_size=1).filter(lambda text: text.strip(" !")), min_size=1),
    batch=sizes,
    length=sizes,
)
def test_texts_are_used_in_turn_and_cut_or_repeated(
    texts: list[str], batch: int, length: int
) -> None:
    config = ExperimentConfig(prompts=tuple(texts), batch_size=batch, input_tokens=length)
    requests = build_requests(config, Letters())
    assert len(requests) == batch
    for number, request in enumerate(requests):
        text = texts[number % len(texts)].replace(" ", "").replace("!", "")
        expected = (text * length)[:length]
        assert request.prompt_token_ids == tuple(ord(character) for character in expected)


@pytest.mark.parametrize("empty", ["", "   ", "!!", "    " * 40])
def test_a_text_without_tokens_is_named(empty: str) -> None:
    config = ExperimentConfig(prompts=("hello", empty), batch_size=1)
    with pytest.raises(ConfigError, match=r"prompts\[1\]") as caught:
        build_requests(config, Letters())
    assert repr(empty[:10])[:-1] in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_tokenizer_with_nothing_but_special_tokens_is_refused() -> None:
    bare = Letters(vocabulary_size=2, special_token_ids=frozenset({0, 1}))
    with pytest.raises(ConfigError, match="special"):
        build_requests(ExperimentConfig(), bare)


def test_prefill_only_keeps_the_prompts_and_stops_after_the_first_token() -> None:
    requests = build_requests(ExperimentConfig(batch_size=3, output_tokens=50), Letters())
    prefill = prefill_only(requests)
    assert [request.output_tokens for request in prefill] == [1, 1, 1]
    assert [replace(request, output_tokens=50) for request in prefill] == requests


def test_the_workload_hash_knows_the_work_but_not_the_names() -> None:
    requests = build_requests(ExperimentConfig(batch_size=2), Letters())
    renamed = [replace(request, request_id=f"x{request.request_id}") for request in requests]
    assert workload_hash(renamed) == workload_hash(requests)
    changes = ({"output_tokens": 1}, {"ignore_eos": False}, {"arrival_s": 0.5})
    others = [[replace(requests[0], **change), *requests[1:]] for change in changes]
    hashes = {workload_hash(other) for other in [*others, requests[::-1], requests[:1], requests]}
    assert len(hashes) == 6
