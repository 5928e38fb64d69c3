"""Server-sent events (WHATWG HTML, 9.2.6), as far as a streamed answer needs them."""

from __future__ import annotations

LONGEST_BYTES = 1 << 24
"""An event that does not end by then is no event."""


class EventParser:
    """Bytes in as they come, contents of ``data`` fields out as events end."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Contents of the events that end in *data*; comments and other fields are passed over.

        Raises:
            ValueError: an event is longer than any answer.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_BYTES:
            raise ValueError(f"an event of more than {LONGEST_BYTES} bytes")
        events = []
        for line in lines:
            text = line.removesuffix(b"\r")
            if text.startswith(b"data:"):
                self._data.append(text[5:].removeprefix(b" "))
            elif not text and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events
