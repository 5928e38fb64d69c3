"""A child that is a script: what it says, when it ends, and what it was told."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.isolation.channel import Channel
from pytest_llem.isolation.launcher import Launched
from pytest_llem.isolation.observer import Observer
from pytest_llem.isolation.process_tree import ProcessTree
from pytest_llem.isolation.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.supervisor import Ending


class FakeSampling:
    def attend(self, on: bool) -> None: ...

    def settled_after(self, time_ns: int) -> bool:
        return True

    def refreshed_after(self, time_ns: int) -> bool:
        return True

    def latest_power_w(self) -> float | None:
        return None


class FakeProcess:
    """A process whose end the test decides."""

    def __init__(self) -> None:
        self.tree = ProcessTree(0, None)
        self.status: int | None = 0
        """What it exits with; ``None`` hangs."""
        self.interrupted = 0
        self.ended = 0

    def wait(self, timeout_s: float | None) -> int | None:
        return self.status

    def interrupt(self) -> None:
        self.interrupted += 1

    def end(self) -> None:
        self.ended += 1


class ScriptedChild:
    """A supervisor and the other end of its channel."""

    def __init__(self) -> None:
        here, self.there = socket.socketpair()
        self.process = FakeProcess()
        self.heard: list[Message] = []
        channel = Channel(here, queues=True)
        observer = Observer(FakeSampling(), lambda marks: {"marks": marks}, channel.send)
        launched = Launched(channel, self.process)
        job = {"version": "1"}
        self.supervisor = Supervisor(launched, observer, job, None, self.heard.append)

    def say(self, kind: str, **fields: Any) -> None:
        self.send(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    def send(self, data: bytes) -> None:
        self.there.sendall(data)

    def told(self) -> list[dict[str, Any]]:
        """What the supervisor has said by now."""
        text = b""
        self.there.setblocking(False)
        try:
            while chunk := self.there.recv(1 << 16):
                text += chunk
        except BlockingIOError:
            pass
        return [json.loads(line) for line in text.splitlines()]

    def run(self) -> Ending:
        """Supervise what was said so far; the channel closes after it."""
        self.there.shutdown(socket.SHUT_WR)
        return self.supervisor.run()

    def run_beside(self, script: Callable[[], object]) -> Ending:
        """Supervise while *script* plays the child in a thread."""
        thread = threading.Thread(target=script)
        thread.start()
        try:
            return self.supervisor.run()
        finally:
            thread.join()


@pytest.fixture
def child() -> Iterator[ScriptedChild]:
    scripted = ScriptedChild()
    yield scripted
    scripted.there.close()
