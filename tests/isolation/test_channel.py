"""The control channel: lines of JSON, whatever comes over it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.isolation.channel import Channel, ChannelClosedError, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

FIELDS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in {"kind", "self"}),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    max_size=4,
)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield Channel(here), there


def received(channel: Channel) -> list[Message]:
    messages = []
    while (message := channel.receive(0.0)) is not None:
        messages.append(message)
    return messages


@given(messages=st.lists(st.tuples(st.text(min_size=1), FIELDS), max_size=5), data=st.data())
def test_messages_arrive_whole_however_they_are_cut(
    messages: list[tuple[str, dict[str, Any]]], data: st.DataObject
) -> None:
    text = b"".join(
        json.dumps({"kind": kind, **fields}).encode() + b"\n" for kind, fields in messages
    )
    here, there = socket.socketpair()
    with here, there:
        channel, found = Channel(here), []
        while text:
            size = data.draw(st.integers(1, len(text)))
            there.sendall(text[:size])
            text = text[size:]
            found += received(channel)
        found += received(channel)
    assert found == [Message(kind, fields) for kind, fields in messages]


def test_garbage_is_counted_and_passed_over(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    there.sendall(b'\xff\xfe\nno json\n[1]\n{"no": "kind"}\n{"kind": "hello"}\n')
    assert received(channel) in ([Message("hello")], [])
    there.sendall(b'{"kind": "again", "x": 1}\n')
    assert received(channel)[-1] == Message("again", {"x": 1})
    assert channel.garbage == 4


def test_what_was_sent_before_the_end_is_received(ends: tuple[Channel, socket.socket]) -> None:
    channel, there = ends
    there.sendall(b'{"kind": "last"}\n')
    there.close()
    assert channel.receive(1.0) == Message("last")
    with pytest.raises(ChannelClosedError):
        channel.receive(1.0)
    with pytest.raises(ChannelClosedError):
        channel.send("anybody", text="there?")
