"""Streamed answers, however they are cut and whatever they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.engines.openai.answer import Answer, AnswerError
from pytest_llem.engines.openai.body import Dialect
from pytest_llem.engines.openai.events import EventParser
from pytest_llem.engines.openai.vocabulary import WordVocabulary, vocabulary_of
from pytest_llem.workloads.request import Request

REQUEST = Request("r", (1, 2, 3), 4)
PAYLOAD = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=20
)


def answered(*pieces: Any) -> Answer:
    answer = Answer()
    for number, piece in enumerate(pieces):
        data = piece if isinstance(piece, bytes) else json.dumps(piece).encode()
        answer.add(data, 100 * (number + 1))
    return answer


def piece(text: str = " a", reason: str | None = None, **known: Any) -> dict[str, Any]:
    return {"choices": [{"text": text, "finish_reason": reason, **known}]}


@given(st.lists(PAYLOAD, max_size=8), st.sampled_from(["\n", "\r\n"]), st.data())
def test_events_are_the_same_however_their_bytes_are_cut(
    payloads: list[str], end: str, data: st.DataObject
) -> None:
    text = "".join(f": ping{end}{end}event: x{end}data: {one}{end}{end}" for one in payloads)
    stream = text.encode()
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    parser, found = EventParser(), []
    for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parser.feed(stream[first:last])
    assert found == [one.encode() for one in payloads]


def test_data_of_several_lines_is_one_event() -> None:
    assert EventParser().feed(b'data: {"a":\ndata:1}\n\ndata: half') == [b'{"a":\n1}']


def test_what_is_not_text_is_no_token() -> None:
    answer = answered(piece(""), piece(), piece(), piece("", "length"), b"[DONE]")
    assert answer.chunk_ns == [200, 300]
    assert answer.done


def test_a_token_id_without_text_is_a_token() -> None:
    answer = answered(piece("", token_ids=[5]), piece("", "length", token_ids=[6, 7]))
    assert answer.chunk_ns == [100, 200]
    served = answer.served(REQUEST, 1, 2, 3)
    assert (served.output_tokens, served.counted_by) == (3, "ids")


@pytest.mark.parametrize("delta", [{"content": "a"}, {"reasoning_content": "a"}])
def test_a_turn_of_a_chat_has_tokens(delta: dict[str, str]) -> None:
    answer = answered(
        {"choices": [{"delta": {"role": "assistant"}}]}, {"choices": [{"delta": delta}]}
    )
    assert answer.chunk_ns == [200]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{", "malformed"),
        (b"3", "malformed"),
        (b'{"choices": 3}', "malformed"),
        (b'{"choices": [3]}', "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"error": {"message": "died"}}', "server_error"),
        (b'{"error": "died"}', "server_error"),
    ],
)
def test_a_piece_that_is_none_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(AnswerError) as caught:
        answered(data)
    assert caught.value.kind == kind


@given(
    st.binary(max_size=30)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
        lambda value: json.dumps({"choices": value, "usage": value}).encode()
    )
)
def test_nothing_but_an_answers_own_error_is_raised(data: bytes) -> None:
    try:
        answered(data).served(REQUEST, 1, 2, 3)
    except AnswerError as error:
        assert error.kind in {"malformed", "truncated", "server_error"}  # noqa: PT017 - or none


@pytest.mark.parametrize("completion", [0, 1, 3])
def test_usage_that_contradicts_token_ids_is_refused(completion: int) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": completion}}
    answer = answered(piece(token_ids=[5, 6], reason="length"), usage)
    with pytest.raises(AnswerError, match=f"usage says {completion} tokens, but 2 token ids"):
        answer.served(REQUEST, 1, 2, 3)


def test_more_tokens_than_pieces_are_no_contradiction() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    served = answered(piece(), piece(reason="length"), usage).served(REQUEST, 1, 2, 3)
    assert (served.input_tokens, served.output_tokens, served.counted_by) == (3, 4, "usage")


def test_an_answer_that_stopped_by_itself_without_usage_has_unknown_tokens() -> None:
    served = answered(piece(), piece(reason="stop")).served(REQUEST, 1, 2, 3)
    assert (served.output_tokens, served.counted_by, served.finish_reason) == (None, None, "stop")


def test_fields_of_the_experiment_go_before_all_others() -> None:
    dialect = Dialect("m", "completions", True, {"ignore_eos": True}, {"temperature": 1, "n": 1})
    body = json.loads(dialect.body(REQUEST, WordVocabulary()))
    assert body["prompt"] == [1, 2, 3]
    assert (body["temperature"], body["n"], body["max_tokens"]) == (1, 1, 4)
    assert body["stream_options"] == {"include_usage": True}
    heeding = Request("r", (1,), 4, ignore_eos=False)
    assert "ignore_eos" not in json.loads(dialect.body(heeding, WordVocabulary()))


def test_words_stand_for_tokens_where_those_are_not_known() -> None:
    words = WordVocabulary()
    assert words.text(words.encode("the quick brown the")) == "the quick brown the"
    assert max(words.encode("the of and")) < words.vocabulary_size
    assert vocabulary_of("some/hub-model", None) is None


def test_the_built_in_models_tokens_are_known_without_its_library() -> None:
    found = vocabulary_of("builtin/tiny", None)
    assert found is not None
    assert found.vocabulary_size == 2048
    assert {0, 1} <= found.special_token_ids
