"""The engine's stamps, as they pass by an output processor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.engines.vllm.outcome import Outcome, result_of
from pytest_llem.engines.vllm.stamps import StepStamps, nanoseconds
from pytest_llem.workloads.request import Request


class Processor:
    """What is needed of vLLM's: requests are forgotten once they are processed to their end."""

    def __init__(self, names: dict[str, str]) -> None:
        self.request_states = {
            inner: SimpleNamespace(external_req_id=outer) for inner, outer in names.items()
        }

    def process_outputs(
        self, engine_core_outputs: Any, engine_core_timestamp: float | None = None, **_: Any
    ) -> str:
        for one in engine_core_outputs:
            if one.finished:
                self.request_states.pop(one.request_id, None)
        return "processed"


def output(request_id: str, tokens: int, *, finished: bool = False) -> SimpleNamespace:
    return SimpleNamespace(
        request_id=request_id, new_token_ids=list(range(tokens)), finished=finished
    )


def test_each_token_has_the_stamp_of_its_step_by_the_name_that_was_given() -> None:
    processor = Processor({"a-1": "a", "b-1": "b"})
    stamps = StepStamps(processor)
    assert processor.process_outputs([output("a-1", 1)], engine_core_timestamp=1.0) == "processed"
    processor.process_outputs([output("a-1", 2, finished=True), output("b-1", 1)], 1.5)
    processor.process_outputs([output("b-1", 1, finished=True)], 2.0)
    assert stamps.token_ns() == {
        "a": (1_000_000_000, 1_500_000_000, 1_500_000_000),
        "b": (1_500_000_000, 2_000_000_000),
    }
    assert stamps.step_ns() == (1_000_000_000, 1_500_000_000, 2_000_000_000)
    stamps.begin()
    assert stamps.token_ns() == {}
    assert stamps.step_ns() == ()


def test_steps_without_tokens_or_stamps_are_none() -> None:
    processor = Processor({"a-1": "a"})
    stamps = StepStamps(processor)
    processor.process_outputs([], engine_core_timestamp=1.0)
    processor.process_outputs([output("a-1", 0)], engine_core_timestamp=2.0)
    processor.process_outputs([output("a-1", 1)], engine_core_timestamp=None)
    assert stamps.step_ns() == ()
    assert stamps.token_ns() == {"a": ()}


def test_an_engine_without_such_a_processor_leaves_steps_unknown() -> None:
    for processor in (None, object()):
        assert StepStamps(processor).step_ns() == ()


@given(st.integers(0, 10**15))
def test_a_stamp_is_the_monotonic_clock_to_a_microsecond(at_ns: int) -> None:
    assert abs(nanoseconds(at_ns / 1e9) - at_ns) <= 1_000


def test_wall_clock_is_never_mixed_in_and_what_is_not_stamped_is_unknown() -> None:
    metrics = SimpleNamespace(
        arrival_time=1.7e9, queued_ts=0.0, scheduled_ts=2.0, first_token_ts=3.0, last_token_ts=4.0
    )
    request = Request("r", (1, 2), 2)
    found = result_of(request, Outcome("n", [7, 8], "length", metrics), (3, 4), 9)
    assert (found.queued_ns, found.scheduled_ns) == (None, 2_000_000_000)
    assert (found.first_token_ns, found.finish_ns) == (3_000_000_000, 4_000_000_000)
    assert found.token_ns == (3, 4)
    bare = result_of(request, Outcome("n", [7, 8], "repetition", None), (3,), 9)
    assert (bare.first_token_ns, bare.finish_ns, bare.finish_reason) == (None, 9, "abort")
    assert bare.token_ns == ()
