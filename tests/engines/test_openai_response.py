"""Answers of HTTP, however they are cut and whatever they say."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.engines.openai.response import LONGEST_HEAD, ResponseParser

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def chunked(pieces: Iterable[bytes], *, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(one), extension, one) for one in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"


def sized(content: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(content), content)


def fed(parser: ResponseParser, data: bytes, cuts: Iterable[int] = ()) -> bytes:
    edges = [0, *sorted(cuts), len(data)]
    return b"".join(
        piece
        for first, last in itertools.pairwise(edges)
        for piece in parser.feed(data[first:last])
    )


@given(PIECES, st.data())
def test_content_is_the_same_however_an_answer_is_cut(
    pieces: list[bytes], data: st.DataObject
) -> None:
    content = b"".join(pieces)
    for answer in (
        chunked(pieces),
        chunked(pieces, extension=b"; a=b", trailer=b"X-Sum: 1\r\n"),
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + sized(content),
    ):
        cuts = data.draw(st.lists(st.integers(0, len(answer)), max_size=8))
        parser = ResponseParser()
        assert fed(parser, answer, cuts) == content
        assert parser.complete
        assert (parser.status, parser.reusable) == (200, True)
        assert parser.headers["content-type"] == "text/event-stream"


@given(PIECES, st.integers(0, 500))
def test_an_answer_that_is_cut_off_is_not_complete(pieces: list[bytes], at: int) -> None:
    for answer in (chunked(pieces), sized(b"x" + b"".join(pieces))):
        parser = ResponseParser()
        fed(parser, answer[: min(at, len(answer) - 1)])
        assert not parser.complete
        assert not parser.ended()


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    parser = ResponseParser()
    assert fed(parser, HEAD + b"\r\nabc", [70]) == b"abc"
    assert not parser.complete
    assert parser.ended()
    assert not parser.reusable


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_a_connection_is_used_again_where_the_server_keeps_it(head: bytes, reusable: bool) -> None:
    parser = ResponseParser()
    fed(parser, head + b"Content-Length: 0\r\n\r\n")
    assert parser.complete
    assert parser.reusable is reusable


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 ??? OK\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        sized(b"abc") + b"more",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (LONGEST_HEAD + 1),
    ],
)
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ResponseParser().feed(answer)


@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from([b"", HEAD, HEAD + b"\r\n"]))
def test_nothing_but_a_value_error_is_raised(pieces: list[bytes], first: bytes) -> None:
    parser = ResponseParser()
    try:
        for piece in [first, *pieces]:
            parser.feed(piece)
    except ValueError:
        pass
