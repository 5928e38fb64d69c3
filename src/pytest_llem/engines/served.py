"""Engines that are servers: requests come one by one, and so do their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.engines.engine import FinishReason
    from pytest_llem.workloads.request import Request

CountedBy = Literal["usage", "ids", "length"]
"""What told the output tokens of an answer: the server's usage, the token ids that it sent, or
that it said to have ended at the length that was asked for."""


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """What became of one request to a server. Stamps are ``time.monotonic_ns``."""

    request_id: str
    due_ns: int
    """When it was to be sent: by its arrival time, or at once."""
    sent_ns: int
    """Just before it was handed to the connection."""
    end_ns: int
    """When the answer had ended, or was given up."""
    chunk_ns: tuple[int, ...] = ()
    """When pieces of the answer with tokens were read, after the event loop woke for them."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    counted_by: CountedBy | None = None
    finish_reason: FinishReason | None = None
    failure: str | None = None
    """What kind of failure it was, such as ``http_429`` or ``stalled``; ``None`` is none."""
    said: str = ""
    """The failure in words."""


class Stream(Protocol):
    """Requests under way; they go on coming until it is closed."""

    @property
    def in_flight(self) -> int:
        """Requests that were sent and are not answered yet."""
        ...

    def take(self, count: int) -> list[ServedRequest]:
        """The next *count* requests that ended, in the order in which they did.

        Raises:
            EngineError: the requests cannot be made any more.
        """
        ...

    def discard(self) -> None:
        """Forget the requests that ended and were not taken."""
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


@runtime_checkable
class Streams(Protocol):
    """A session that serves requests one by one."""

    def stream(self, requests: Iterator[Request], concurrency: int | None) -> Stream:
        """Begin to send *requests*: by their arrival times, or by so many clients.

        Args:
            requests: as many as are ever taken.
            concurrency: clients that each ask again once answered; ``None`` follows the
                requests' arrival times.
        """
        ...
