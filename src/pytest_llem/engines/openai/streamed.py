"""An answer that comes as server-sent events."""

from __future__ import annotations

from pytest_llem.engines.openai.answer import Answer, AnswerError
from pytest_llem.engines.openai.connection import OK, Exchange
from pytest_llem.engines.openai.events import EventParser

STREAM = "text/event-stream"


class Streamed(Exchange):
    """Takes an answer apart as it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = Answer()
        self._events = EventParser()

    def take(self, piece: bytes, at_ns: int) -> None:
        """Take a part of the content into account.

        Raises:
            AnswerError: it is no stream of events, or none of an answer.
        """
        if self.response.status != OK:
            super().take(piece, at_ns)
            return
        self.require_streamed()
        for event in self._events.feed(piece):
            self.answer.add(event, at_ns)

    def require_streamed(self) -> None:
        """Check what the head says.

        Raises:
            AnswerError: the answer is something else.
        """
        kind = self.response.headers.get("content-type", "of no type")
        if not kind.startswith(STREAM):
            raise AnswerError("not_streamed", f"the answer is {kind}")
