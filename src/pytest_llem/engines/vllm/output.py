"""What an engine's own processes say, kept so that a fault can be explained by its cause."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

KEPT_BYTES = 1 << 20
CAUSE = re.compile(
    r"(?:^|\s)((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)): (\S.*)$", re.MULTILINE
)
NO_CAUSE = re.compile(r"stack trace|root cause|initialization failed|EngineDeadError")
"""Errors that only say that there was another."""


class EngineOutput:
    """Standard output and error of the processes that are started inside ``with``.

    They keep writing to a file after it; what they wrote is shown on this process's standard
    error at the end of the ``with`` statement and when it is closed.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="llem-vllm-")  # noqa: SIM115 - closed by close()
        self._shown = 0
        self._handler: logging.Handler | None = None
        self._saved: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        # A forked process logs to the streams that pytest's capture put into sys, whatever the
        # descriptors are, so it gets a handler as well.
        self._handler = logging.StreamHandler(os.fdopen(os.dup(self._file.fileno()), "a"))
        logging.getLogger("vllm").addHandler(self._handler)
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in (1, 2):
            self._saved.append((descriptor, os.dup(descriptor)))
            os.dup2(self._file.fileno(), descriptor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, saved in self._saved:
            os.dup2(saved, descriptor)
            os.close(saved)
        self._saved.clear()
        if self._handler is not None:
            logging.getLogger("vllm").removeHandler(self._handler)
            self._handler.stream.close()  # type: ignore[attr-defined] # a StreamHandler's
        self.show()

    def text(self) -> str:
        """The last of what was written."""
        if self._file.closed:
            return ""
        descriptor = self._file.fileno()
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, KEPT_BYTES, max(0, size - KEPT_BYTES)).decode(errors="replace")

    def cause(self) -> str | None:
        """The first error that names a cause; ``None`` if none was printed."""
        return cause_in(self.text())

    def show(self) -> None:
        """Write what came since the last time to standard error."""
        if self._file.closed:
            return
        fresh = os.pread(self._file.fileno(), KEPT_BYTES, self._shown)
        self._shown += len(fresh)
        with contextlib.suppress(OSError):
            os.write(2, fresh)

    def close(self) -> None:
        self.show()
        self._file.close()


def cause_in(text: str) -> str | None:
    """The first ``SomeError: message`` in *text* that says more than that there was an error."""
    for match in CAUSE.finditer(text):
        if not NO_CAUSE.search(match[0]):
            return f"{match[1].rpartition('.')[2]}: {match[2].strip()}"
    return None
