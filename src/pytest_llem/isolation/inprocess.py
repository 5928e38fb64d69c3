"""No isolation: the experiment runs in this process, observed from a thread.

For debugging only: the sampler shares the interpreter with what it measures.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.isolation.channel import Channel, ChannelClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.isolation.observer import Observer


@dataclass(frozen=True, slots=True)
class OwnProcess:
    """This process as a clock of CPU time (``devices.meter.CpuClock``)."""

    pid: int = os.getpid()

    def members(self) -> tuple[int, ...]:
        """This process: an experiment within it starts no others."""
        return (os.getpid(),)

    def cpu_time_s(self) -> float:
        return time.process_time()


@contextlib.contextmanager
def observed(make_observer: Callable[[Callable[..., None]], Observer]) -> Iterator[Channel]:
    """A channel whose other end an observer answers from a thread."""
    here, there = map(Channel, socket.socketpair())
    observer = make_observer(there.send)
    thread = threading.Thread(target=_serve, args=(there, observer), name="llem-observer")
    thread.start()
    try:
        yield here
    finally:
        here.close()
        thread.join()
        there.close()


def _serve(channel: Channel, observer: Observer) -> None:
    with contextlib.suppress(ChannelClosedError):
        while True:
            message = channel.receive(observer.look())
            if message is not None:
                observer.handle(message)
