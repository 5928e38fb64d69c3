"""Answers of HTTP/1.1 (RFC 9112), as they come."""

from __future__ import annotations

from typing import Literal

LONGEST_HEAD = 1 << 16
"""A head that does not end by then is no head, and so is the line of a chunk's size."""
_State = Literal["head", "sized", "size", "chunk", "gap", "trailer", "endless", "over"]
_BODILESS = frozenset({204, 304})


class ResponseParser:
    """Bytes in as they come, content out; transfer codings other than chunked are refused."""

    def __init__(self) -> None:
        self.status = 0
        """0 until the head is known."""
        self.headers: dict[str, str] = {}
        """By lower-case name; of several of one name the last."""
        self.reusable = True
        """Whether another request may follow on the connection, once the answer is complete."""
        self._state: _State = "head"
        self._rest = b""
        self._left = 0

    @property
    def complete(self) -> bool:
        """Whether the answer has ended."""
        return self._state == "over"

    def feed(self, data: bytes) -> list[bytes]:
        """Content that *data* brings.

        Raises:
            ValueError: it is no answer of HTTP/1.1, or more than one.
        """
        rest, found = (self._rest + data if self._rest else data), []
        while rest and not self.complete:
            if self._state in {"chunk", "sized"}:
                found.append(rest[: self._left])
                rest = self._after(rest)
            elif self._state == "endless":
                found.append(rest)
                rest = b""
            else:
                line, end, after = rest.partition(b"\r\n\r\n" if self._state == "head" else b"\n")
                if not end:
                    break
                rest = after
                self._line(line)
        if rest and self.complete:
            raise ValueError("more came than the answer")
        if len(rest) > LONGEST_HEAD:
            raise ValueError(f"a head of more than {LONGEST_HEAD} bytes")
        self._rest = rest
        return found

    def ended(self) -> bool:
        """Whether the answer is complete now that the connection has ended."""
        if self._state == "endless":
            self._state = "over"
        return self.complete

    def _after(self, rest: bytes) -> bytes:
        """What is left of *rest* behind the content that was awaited."""
        taken = min(self._left, len(rest))
        self._left -= taken
        if not self._left:
            self._state = "gap" if self._state == "chunk" else "over"
        return rest[taken:]

    def _line(self, line: bytes) -> None:
        if self._state == "head":
            self._head(line)
        elif self._state == "size":
            self._left = int(line.split(b";", 1)[0].strip(), 16)
            if self._left < 0:
                raise ValueError("a chunk of a negative size")
            self._state = "chunk" if self._left else "trailer"
        elif self._state == "gap":
            if line.strip():
                raise ValueError("a chunk that is longer than its size")
            self._state = "size"
        elif not line.strip():  # the end of the trailer
            self._state = "over"

    def _head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(f"the answer begins with {first[:40]!r}, which is no HTTP/1.1")
        self.status = int(status[:3])
        pairs = (line.partition(":") for line in lines)
        self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if self.status < 200:  # noqa: PLR2004 - it only announces the answer
            return
        asked_to_close = "close" in self.headers.get("connection", "").lower()
        kept = version != "HTTP/1.0" or "keep-alive" in self.headers.get("connection", "").lower()
        self.reusable = kept and not asked_to_close
        self._state = self._body()

    def _body(self) -> _State:
        coding = self.headers.get("transfer-encoding", "").lower()
        if coding == "chunked":
            return "size"
        if coding:
            raise ValueError(f"the transfer coding {coding!r} was not asked for")
        if self.status in _BODILESS:
            return "over"
        if "content-length" in self.headers:
            self._left = int(self.headers["content-length"])
            if self._left < 0:
                raise ValueError("an answer of a negative length")
            return "sized" if self._left else "over"
        self.reusable = False
        return "endless"
