"""The supervisor beside a child that says and does what the test wants."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.isolation.channel import Message
from pytest_llem.isolation.messages import FIELDS, well_formed

if TYPE_CHECKING:
    from conftest import ScriptedChild
    from pytest_llem.isolation.observer import Progress

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_a_child_is_given_its_job_and_its_other_messages_are_passed_on(
    child: ScriptedChild,
) -> None:
    child.say("hello", version="1", pid=7)
    child.say("uncollected", message="no such test")
    ending = child.run()
    assert (ending.status, ending.timed_out, ending.garbage) == (0, False, 0)
    assert child.told() == [{"kind": "job", "version": "1"}]
    assert child.heard == [Message("uncollected", {"message": "no such test"})]
    assert child.process.ended == 1


def test_what_was_said_before_a_crash_is_heard(child: ScriptedChild) -> None:
    for number in range(100):
        child.say("uncollected", message=str(number))
    child.process.status = -11
    ending = child.run()
    assert ending.status == -11
    assert ending.was_killed
    assert len(child.heard) == 100


def test_a_child_that_closes_its_channel_and_stays_is_killed(child: ScriptedChild) -> None:
    child.process.status = None
    ending = child.run()
    assert ending.hung_after_closing
    assert child.process.ended == 1


def test_a_silent_child_is_killed_at_its_deadline(child: ScriptedChild) -> None:
    child.supervisor.deadline_s = 0.05
    ending = child.supervisor.run()
    assert (ending.status, ending.timed_out) == (None, True)
    assert child.process.ended == 1


def test_a_child_that_never_reads_does_not_hold_the_supervisor_up(child: ScriptedChild) -> None:
    child.supervisor.deadline_s = 0.5
    child.there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
    marks = {"windows": ["x" * 1000] * 500}

    def flood() -> None:
        for _ in range(8):
            child.say("measured", marks=marks)

    ending = child.run_beside(flood)
    assert ending.timed_out


def test_what_a_slow_child_was_sent_arrives_whole(child: ScriptedChild) -> None:
    text = "x" * 4_000_000
    replies = []

    def ask_and_read_late() -> None:
        child.say("measured", marks={"text": text})
        with child.there.makefile("rb") as lines:
            replies.append(json.loads(lines.readline()))
        child.there.shutdown(socket.SHUT_WR)

    ending = child.run_beside(ask_and_read_late)
    assert ending.status == 0
    assert replies == [{"kind": "measurement", "figures": {"marks": {"text": text}}}]


GARBAGE = [
    b"no json at all\n",
    b"\x00\xff\xfe binary \x80\n",
    b"[1, 2]\n",
    b'"text"\n',
    b'{"no": "kind"}\n',
    b'{"kind": 3}\n',
    b'{"kind": []}\n',
    b'{"kind": "unheard of"}\n',
    b'{"kind": "__init__", "sampling": 1}\n',
    b'{"kind": "hello"}\n',
    b'{"kind": "hello", "version": 1, "pid": "x"}\n',
    b'{"kind": "phase", "phase": 3, "index": null, "count": null}\n',
    b'{"kind": "await", "question": 1, "condition": "refreshed", "since_ns": "x", "least_s": 0}\n',
    b'{"kind": "await", "question": 1, "condition": "settled", "since_ns": 1, "least_s": NaN}\n',
    b'{"kind": "await", "question": 1, "condition": "idle", "since_ns": 1'
    + b"0" * 40
    + b', "least_s": 1}\n',
    b'{"kind": "passed", "end_ns": null}\n',
    b'{"kind": "measured", "marks": 3}\n',
    b'{"kind": "review", "windows": {}}\n',
    b'{"kind": "engine", "description": []}\n',
    b'{"kind": "report"}\n',
    b'{"kind": "report", "data": "x"}\n',
    b'{"kind": "warning", "data": null}\n',
    b'{"kind": "uncollected", "message": 5}\n',
    b'{"kind": "interrupted"}\n',
    b'{"kind": "outcome", "outcome": "splendid", "message": null}\n',
    b"[" * 100_000 + b"\n",
    b"x" * 1_000_000 + b"\n",
]


def test_garbage_is_counted_and_does_no_harm(child: ScriptedChild) -> None:
    def talk() -> None:
        for line in GARBAGE:
            child.send(line)
        child.say("uncollected", message="still here")
        child.there.shutdown(socket.SHUT_WR)

    ending = child.run_beside(talk)
    assert ending.garbage == len(GARBAGE)
    assert child.heard == [Message("uncollected", {"message": "still here"})]


@given(
    kind=st.sampled_from(sorted(FIELDS)), fields=st.dictionaries(st.text(), JSON), data=st.data()
)
def test_only_messages_with_exactly_their_fields_are_well_formed(
    kind: str, fields: dict[str, object], data: st.DataObject
) -> None:
    drawn = {name: data.draw(JSON) for name in FIELDS[kind]}
    for message in (Message(kind, fields), Message(kind, drawn)):
        if well_formed(message):
            assert message.fields.keys() == FIELDS[kind].keys()
    assert not well_formed(Message(kind, {**drawn, "more": 1}))


def test_a_guard_has_the_child_killed(child: ScriptedChild) -> None:
    answers = iter([None, "out of memory (2 GiB of 1 GiB)"])
    child.supervisor.guard = lambda: next(answers)
    ending = child.supervisor.run()
    assert ending.killed_for == "out of memory (2 GiB of 1 GiB)"
    assert ending.was_killed
    assert child.process.ended == 1


def test_an_interrupt_reaches_the_child_and_goes_on(child: ScriptedChild) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    child.supervisor.on_progress = interrupt
    child.say("begin")
    with pytest.raises(KeyboardInterrupt):
        child.supervisor.run()
    assert (child.process.interrupted, child.process.ended) == (1, 1)


def test_a_second_interrupt_while_the_child_stops_does_not_leave_it_behind(
    child: ScriptedChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    child.supervisor.on_progress = interrupt
    monkeypatch.setattr(child.process, "wait", interrupt)
    child.say("begin")
    with pytest.raises(KeyboardInterrupt):
        child.supervisor.run()
    assert child.process.ended == 1


def test_progress_is_shown_while_the_child_works(child: ScriptedChild) -> None:
    shown: list[str] = []
    child.supervisor.on_progress = lambda progress: shown.append(progress.phase)
    child.say("phase", phase="loading", index=None, count=None)
    child.run()
    assert shown == ["loading"]
