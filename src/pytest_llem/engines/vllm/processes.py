"""The processes that an engine started, what else it holds, and their end."""

from __future__ import annotations

import contextlib
import gc
import traceback
import warnings
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

END_S, KILL_S = 10.0, 5.0
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Python's own, which end with this process and serve whatever else it does."""


class EngineProcesses:
    """Descendants of this process that were started after this object was made."""

    def __init__(self) -> None:
        self._before = {child.pid for child in _children()}
        self._known: dict[int, psutil.Process] = {}

    def look(self) -> list[psutil.Process]:
        """Those that live; they are remembered, in case that their parent ends before them."""
        for child in _children():
            if child.pid not in self._before and not _is_helper(child):
                self._known.setdefault(child.pid, child)
        return [process for process in self._known.values() if process.is_running()]

    def end(self, wait_s: float = END_S) -> None:
        """Wait for them to end by themselves, and end by force those that do not."""
        _, left = psutil.wait_procs(self.look(), timeout=wait_s)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=KILL_S)


@contextlib.contextmanager
def forgetting(error: BaseException | None = None) -> Iterator[None]:
    """Afterwards what nobody holds any more is gone, what only *error*'s frames held included.

    vLLM leaves sockets' contexts open, which warn when they go; that is nobody's mistake here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
        gc.collect()


def _children() -> Iterator[psutil.Process]:
    yield from psutil.Process().children(recursive=True)


def _is_helper(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        command = " ".join(process.cmdline())
        return any(helper in command for helper in HELPERS)
    return False
