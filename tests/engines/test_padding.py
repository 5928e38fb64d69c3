"""Prompts of different lengths in one rectangle."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.engines.transformers.padding import pad_left
from pytest_llem.workloads.request import Request

prompts = st.lists(st.integers(0, 99), min_size=1, max_size=12).map(tuple)
requests = st.builds(
    Request,
    request_id=st.just("r"),
    prompt_token_ids=prompts,
    output_tokens=st.integers(1, 9),
)


@given(st.lists(requests, min_size=1, max_size=6), st.integers(0, 99))
def test_padding_stands_before_the_prompt_and_is_masked(batch: list[Request], pad: int) -> None:
    padded = pad_left(batch, pad)
    assert padded.width == max(len(request.prompt_token_ids) for request in batch)
    assert padded.steps == max(request.output_tokens for request in batch)
    for request, row, mask in zip(batch, padded.token_ids, padded.attention_mask, strict=True):
        missing = padded.width - len(request.prompt_token_ids)
        assert row == [pad] * missing + list(request.prompt_token_ids)
        assert mask == [0] * missing + [1] * len(request.prompt_token_ids)
