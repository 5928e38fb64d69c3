"""What a child prints: kept in a file of bounded size, of which the end is shown."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 16 << 20
"""Bytes in the file above which it is cut. It may hold more for as long as nobody looks."""
KEPT = 64 << 10
"""Bytes that are kept when it is cut."""
SHOWN = 8000
"""Characters of the end that are shown."""
LONGEST_TEXT = 1 << 20
"""Characters of one text in a report; of a longer one the end is sent."""


@dataclass(slots=True)
class OutputLog:
    """The file that takes a child's output, which appends to it."""

    path: Path
    limit: int = LIMIT
    _cut: bytes = b""
    _left_out: int = field(default=0)

    def trim(self) -> None:
        """Cut the file if it has grown too large; what is written meanwhile may be lost."""
        with contextlib.suppress(OSError):
            if self.path.stat().st_size <= self.limit:
                return
            with self.path.open("r+b") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - KEPT))
                self._cut = (self._cut + file.read(KEPT))[-KEPT:]
                file.truncate(0)
                self._left_out += size

    def end(self) -> str:
        """The end of what was printed; says so if some was cut before."""
        last = self._cut + self._read()
        text = last.decode(errors="replace")[-SHOWN:]
        if not self._left_out:
            return text
        megabytes = max(0, self._left_out - len(self._cut)) / 1e6
        return f"[{megabytes:.1f} MB of output were cut; this is its end]\n{text}"

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 4 * SHOWN))
                return file.read(4 * SHOWN)
        except OSError:
            return b""


def bounded(value: Any) -> Any:
    """A JSON value in which no text is longer than :data:`LONGEST_TEXT`."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        cut = len(value) - LONGEST_TEXT
        return f"[{cut} characters were cut; this is the end]\n{value[-LONGEST_TEXT:]}"
    if isinstance(value, dict):
        return {name: bounded(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [bounded(member) for member in value]
    return value
