"""Generating with the transformers engine: exact counts, ordered stamps, the same tokens."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.errors import EngineError
from pytest_llem.workloads.batch import build_requests, prefill_only
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from pytest_llem.engines.engine import Generation
    from pytest_llem.engines.transformers.session import TransformersSession

STEPS = 24
PINNED = (
    1329, 1774, 474, 112, 1528, 1711, 2040, 361, 1062, 1910, 1423, 1932,
    1157, 1850, 1594, 1024, 233, 853, 1590, 306, 1324, 1793, 1254, 38,
)  # fmt: skip


@pytest.fixture
def requests(session: TransformersSession) -> list[Request]:
    config = ExperimentConfig(batch_size=4, input_tokens=20, output_tokens=STEPS, seed=3)
    return build_requests(config, session.tokenizer)


def tokens(generation: Generation) -> list[tuple[int, ...] | None]:
    return [result.token_ids for result in generation.requests]


def test_every_request_gets_exactly_what_it_asked_for(
    session: TransformersSession, requests: list[Request]
) -> None:
    generation = session.generate(requests)
    assert generation.input_tokens == 4 * 20
    assert generation.output_tokens == 4 * STEPS
    for request, result in zip(requests, generation.requests, strict=True):
        assert result.request_id == request.request_id
        assert (result.input_tokens, result.output_tokens) == (20, STEPS)
        assert result.token_ids is not None
        assert len(result.token_ids) == STEPS
        assert result.finish_reason == "length"


def test_stamps_are_in_the_order_in_which_things_happened(
    session: TransformersSession, requests: list[Request]
) -> None:
    before = session.generate(requests)
    generation = session.generate(requests)
    assert len(generation.step_ns) == STEPS
    assert all(earlier < later for earlier, later in pairwise(generation.step_ns))
    assert before.end_ns <= generation.start_ns < generation.step_ns[0]
    assert generation.step_ns[-1] <= generation.end_ns
    for result in generation.requests:
        assert result.first_token_ns == generation.step_ns[0]
        assert result.finish_ns == generation.step_ns[-1]


def test_the_same_prompts_give_the_same_tokens_again_alone_and_reordered(
    session: TransformersSession, requests: list[Request]
) -> None:
    together = tokens(session.generate(requests))
    assert tokens(session.generate(requests)) == together
    assert [tokens(session.generate([request]))[0] for request in requests] == together
    assert tokens(session.generate(requests[::-1])) == together[::-1]


def test_the_tokens_are_those_of_plain_greedy_decoding(
    torch: Any, session: TransformersSession, requests: list[Request]
) -> None:
    model = session._loaded.model
    generated = tokens(session.generate(requests[:1]))[0]
    ids = list(requests[0].prompt_token_ids)
    with torch.inference_mode():
        for _ in range(STEPS):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert generated == tuple(ids[20:])


def test_the_tokens_are_pinned(session: TransformersSession, requests: list[Request]) -> None:
    assert tokens(session.generate(requests[:1])) == [PINNED]


def test_prompts_and_outputs_of_different_lengths_do_not_disturb_each_other(
    session: TransformersSession, requests: list[Request]
) -> None:
    mixed = [
        replace(
            request, prompt_token_ids=request.prompt_token_ids[: 5 * number], output_tokens=length
        )
        for number, length, request in zip((1, 2, 3, 4), (7, 1, STEPS, 12), requests, strict=True)
    ]
    generation = session.generate(mixed)
    assert len(generation.step_ns) == STEPS
    assert [result.input_tokens for result in generation.requests] == [5, 10, 15, 20]
    assert [result.output_tokens for result in generation.requests] == [7, 1, STEPS, 12]
    for request, result in zip(mixed, generation.requests, strict=True):
        assert result.finish_ns == generation.step_ns[request.output_tokens - 1]
        assert tokens(session.generate([request]))[0] == result.token_ids


def test_prefill_only_is_one_step(session: TransformersSession, requests: list[Request]) -> None:
    generation = session.generate(prefill_only(requests))
    assert len(generation.step_ns) == 1
    assert generation.output_tokens == len(requests)
    whole = tokens(session.generate(requests))
    assert tokens(generation) == [row[:1] for row in whole if row is not None]


def meeting_its_end(
    session: TransformersSession, request: Request, at: int
) -> tuple[TransformersSession, Request]:
    """A session whose end of sequence *request* meets, and heeds, at its step *at*."""
    from pytest_llem.engines.transformers.session import TransformersSession

    free = tokens(session.generate([request]))[0]
    assert free is not None
    assert free[at] not in free[:at]
    loaded = replace(session._loaded, end_ids=(free[at],))
    return TransformersSession(loaded), replace(request, ignore_eos=False)


def test_an_end_of_sequence_ends_only_the_request_that_heeds_it(
    session: TransformersSession, requests: list[Request]
) -> None:
    free = tokens(session.generate(requests))
    ending, heeding = meeting_its_end(session, requests[0], 5)
    alone = ending.generate([heeding])
    assert len(alone.step_ns) == 6
    assert alone.requests[0].finish_reason == "stop"
    assert alone.requests[0].output_tokens == 6
    together = ending.generate([heeding, *requests[1:]])
    assert len(together.step_ns) == STEPS
    assert [result.finish_reason for result in together.requests] == ["stop"] + ["length"] * 3
    assert together.requests[0].finish_ns == together.step_ns[5]
    assert tokens(together) == [free[0][:6] if free[0] else None, *free[1:]]


def test_an_end_of_sequence_that_is_ignored_ends_nothing(
    session: TransformersSession, requests: list[Request]
) -> None:
    ending, heeding = meeting_its_end(session, requests[0], 5)
    generation = ending.generate([heeding, requests[0]])
    assert [result.output_tokens for result in generation.requests] == [6, STEPS]
    assert tokens(generation)[1] == tokens(session.generate(requests[:1]))[0]


def test_a_batch_is_over_when_its_last_request_is(
    session: TransformersSession, requests: list[Request]
) -> None:
    ending, heeding = meeting_its_end(session, requests[0], 5)
    generation = ending.generate([heeding, replace(requests[1], output_tokens=9)])
    assert len(generation.step_ns) == 9
    assert [result.output_tokens for result in generation.requests] == [6, 9]


def test_a_heeded_end_that_never_comes_changes_nothing(
    session: TransformersSession, requests: list[Request]
) -> None:
    free = session.generate(requests)
    heeding = session.generate([replace(request, ignore_eos=False) for request in requests])
    ends = set(session._loaded.end_ids)
    assert not any(ends & set(row or ()) for row in tokens(free))
    assert tokens(heeding) == tokens(free)
    assert {result.finish_reason for result in heeding.requests} == {"length"}


def test_nothing_asked_is_nothing_done(session: TransformersSession) -> None:
    generation = session.generate([])
    assert generation.requests == ()
    assert generation.step_ns == ()
    assert generation.start_ns <= generation.end_ns


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt_token_ids": ()}, "at least 1"),
        ({"output_tokens": 0}, "at least 1"),
        ({"prompt_token_ids": (5, 2048)}, "token id 2048 is outside the vocabulary"),
        ({"prompt_token_ids": (-1, 5)}, "token id -1 is outside the vocabulary"),
        ({"output_tokens": 32768}, "32768 positions"),
    ],
)
def test_an_impossible_request_is_a_clear_error(
    session: TransformersSession, requests: list[Request], change: dict[str, object], reason: str
) -> None:
    with pytest.raises(EngineError, match=reason):
        session.generate([requests[0], replace(requests[1], **change)])
    assert session.generate(requests[:1]).output_tokens == STEPS


def test_the_clock_is_the_one_that_was_given(session: TransformersSession) -> None:
    from pytest_llem.engines.transformers.session import TransformersSession

    ticks = iter(range(100))
    ticking = TransformersSession(session._loaded, clock=lambda: next(ticks))
    generation = ticking.generate([Request("r", (5, 6, 7), 4)])
    assert generation.start_ns == 0
    assert generation.step_ns == (1, 2, 3, 4)
    assert generation.end_ns == 5


def test_texts_become_prompts_that_the_model_reads(session: TransformersSession) -> None:
    texts = ("Measure what you can.", "Say how well you know it. <|endoftext|>")
    config = ExperimentConfig(prompts=texts, batch_size=3, input_tokens=50, output_tokens=2)
    batch = build_requests(config, session.tokenizer)
    special = session.tokenizer.special_token_ids
    assert special == {0, 1}
    assert not any(special & set(request.prompt_token_ids) for request in batch)
    assert batch[0].prompt_token_ids == batch[2].prompt_token_ids != batch[1].prompt_token_ids
    assert session.generate(batch).output_tokens == 6
