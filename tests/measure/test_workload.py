"""The workload as a load: batch after batch, and passes that share nothing where that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.engine import Generation, RequestResult
from pytest_llem.measure.workload import workload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.workloads.request import Request


class Tokens:
    vocabulary_size = 50
    special_token_ids = frozenset({0})

    def encode(self, text: str) -> list[int]:
        return [ord(letter) % 50 for letter in text]


class Recorder:
    """A session that remembers what it was asked; a batch takes 1000 ns, a step 10."""

    tokenizer = Tokens()

    def __init__(self) -> None:
        self.asked: list[list[Request]] = []

    def generate(self, requests: Sequence[Request]) -> Generation:
        start_ns = 1000 * len(self.asked)
        self.asked.append(list(requests))
        results = tuple(
            RequestResult(
                one.request_id,
                len(one.prompt_token_ids),
                one.output_tokens,
                start_ns + 10,
                start_ns + 10 * one.output_tokens,
                "length",
            )
            for one in requests
        )
        return Generation(start_ns, start_ns + 1000, results, (), "static")


def work(workload: dict[str, Any], **others: Any) -> tuple[Any, Recorder, ExperimentConfig]:
    session = Recorder()
    config = ExperimentConfig.model_validate({"workload": workload, **others})
    return workload_of(config, session), session, config  # type: ignore[arg-type]


def test_a_pass_of_a_chat_is_all_of_its_turns() -> None:
    found, session, config = work({"turns": 3, "turn_tokens": 5}, input_tokens=7, output_tokens=4)
    one = found.loads(config.measurement).whole()
    assert [len(batch[0].prompt_token_ids) for batch in session.asked] == [7, 16, 25]
    assert (one.requests, one.input_tokens, one.output_tokens) == (3, 48, 12)
    assert (one.start_ns, one.end_ns) == (0, 3000)
    assert (one.ttft_s, one.itl_s) == pytest.approx((1e-8, 1e-8))
    assert one.first_token_ns is None
    assert one.batching == "static"


def test_a_single_batch_says_when_prefill_ended() -> None:
    found, _, config = work({})
    assert found.loads(config.measurement).whole().prefill_end_ns == 10


def test_requests_of_one_token_have_no_gap_and_hide_none() -> None:
    found, _, config = work({"output_lengths": (1, 5)}, batch_size=2)
    assert found.loads(config.measurement).whole().itl_s == 1e-8


def test_all_turns_are_prefilled_in_prefill_windows() -> None:
    found, session, config = work({"turns": 2}, input_tokens=7, output_tokens=4)
    prefill = found.loads(config.measurement).prefill
    assert prefill is not None
    done = prefill()
    assert (done.input_tokens, done.output_tokens) == (7 + 18, 2)
    assert [len(batch[0].prompt_token_ids) for batch in session.asked] == [7, 18]


def test_passes_repeat_unless_a_prefix_cache_would_know_them() -> None:
    for reuse in (False, True):
        found, session, config = work(
            {"turns": 2, "prefix_cache": reuse}, input_tokens=7, output_tokens=4
        )
        loads = found.loads(config.measurement)
        loads.whole()
        loads.whole()
        assert loads.prefill is not None
        loads.prefill()
        starts = [batch[0].prompt_token_ids[:7] for batch in session.asked]
        assert starts[0::2] == starts[1::2]
        assert len(set(starts)) == (3 if reuse else 1)


def test_what_a_pass_asks_is_described_and_hashed() -> None:
    found, _, _ = work({"input_lengths": (3, 9), "turns": 2}, batch_size=2, output_tokens=4)
    said = found.described()
    assert said["input_lengths"] == [3, 9, 10, 22]
    assert said["output_lengths"] is None
    assert (said["requests"], said["turns"]) == (4, 2)
    assert (said["input_tokens"], said["output_tokens"]) == (44, 16)
    assert (
        work({"input_lengths": (3, 9), "turns": 2}, batch_size=2, output_tokens=4)[0].described()
        == said
    )
    assert (
        work({"input_lengths": (3, 9), "turns": 2}, batch_size=2, output_tokens=5)[0].described()[
            "hash"
        ]
        != said["hash"]
    )


def test_many_output_lengths_take_windows_at_five_of_them() -> None:
    lengths = tuple(range(1, 40))
    found, _, config = work({"output_lengths": lengths}, batch_size=39)
    loads = found.loads(config.measurement)
    assert loads.output_length is None
    assert sorted({1, *loads.at_lengths}) == [1, 11, 20, 29, 39]
