"""The journal of a run: a line for each transition of an experiment, appended as it happens.

Results, each on disk before its line is, say what has finished. The journal adds what they cannot:
what was under way when a run was killed, how often it was tried, and which processes took part.
While a process takes part in the run it holds a lock on the journal (``flock(2)``), which the
kernel gives back however the process ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_llem.errors import StoreError
from pytest_llem.isolation.exclusive.held import HELD, NO_LOCKS
from pytest_llem.isolation.process_identity import boot_id, started, still_runs
from pytest_llem.results.files import explained
from pytest_llem.results.names import timestamp, utc_now
from pytest_llem.results.transitions import Transition, read_journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.schema import Outcome
    from pytest_llem.results.transitions import Key, State

JOURNAL = "journal.jsonl"


class Journal:
    """The journal of one run; several processes may append to it at once."""

    def __init__(self, path: Path, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """The journal at *path*, which is made once something is appended."""
        self.path = path
        self._clock = clock
        self._descriptor: int | None = None
        self._attempts: dict[Key, int] = {}

    def join(self) -> None:
        """Take part in the run until :meth:`leave`, or the end of this process.

        Raises:
            StoreError: another process has the run for itself, or the journal cannot be written.
        """
        self._lock(fcntl.LOCK_SH)
        self._count_attempts()
        self._append(Transition(state="joined", boot=boot_id(), **self._now()))

    def have_alone(self) -> None:
        """Make sure that no other process takes part, nor can begin to until one joins or leaves.

        Raises:
            StoreError: another process takes part, and which.
        """
        self._lock(fcntl.LOCK_EX)

    def leave(self) -> None:
        """Take part no more; what cannot be said about that any more is not."""
        if self._descriptor is None:
            return
        with suppress(StoreError):
            self._append(Transition(state="left", **self._now()))
        self.let_go()

    def let_go(self) -> None:
        """Give the lock back without a word, whoever else may have inherited the descriptor."""
        if self._descriptor in HELD:
            HELD.discard(self._descriptor)
            with suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
        self._descriptor = None

    def running(self, key: Key) -> None:
        """Note that a process of an experiment is about to be started.

        Raises:
            StoreError: it cannot be noted.
        """
        self._attempts[key] = self._attempts.get(key, 0) + 1
        self._note("running", key)

    def pending(self, key: Key) -> None:
        """Note that what ran was interrupted, and is to run again.

        Raises:
            StoreError: it cannot be noted.
        """
        self._note("pending", key)

    def finished(self, key: Key, outcome: Outcome, result: str | None) -> None:
        """Note what came of a process, after its *result*, by name, is on disk; that is forced.

        Raises:
            StoreError: it cannot be noted.
        """
        self._note("finished", key, outcome, result)

    def _note(
        self,
        state: State,
        key: Key,
        outcome: Outcome | None = None,
        result: str | None = None,
    ) -> None:
        experiment_id, node_id, repeat = key
        self._append(
            Transition(
                experiment_id=experiment_id,
                node_id=node_id,
                repeat=repeat,
                state=state,
                attempt=self._attempts.get(key),
                outcome=outcome,
                result=result,
                **self._now(),
            )
        )

    def _now(self) -> dict[str, int | str]:
        return {
            "process": os.getpid(),
            "monotonic_ns": self._clock(),
            "wall": timestamp(utc_now()),
        }

    def _count_attempts(self) -> None:
        for key, one in read_journal(self.path).latest.items():
            self._attempts[key] = max(self._attempts.get(key, 0), one.attempt or 0)

    def _append(self, line: Transition) -> None:
        """Write *line* in one go, so that this process may be killed; a torn line ends first."""
        text = line.model_dump_json(exclude_none=True).encode() + b"\n"
        with explained("write", self.path):
            if self._descriptor is None:
                self._descriptor = self._opened()
            if not _ends_with_line_feed(self._descriptor):
                text = b"\n" + text
            written = os.write(self._descriptor, text)
            if written < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if line.state == "finished":
                os.fsync(self._descriptor)

    def _opened(self) -> int:
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        HELD.add(descriptor)
        return descriptor

    def _lock(self, kind: int) -> None:
        with explained("write", self.path):
            if self._descriptor is None:
                self._descriptor = self._opened()
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                self.let_go()
                raise StoreError(in_use(self.path)) from None
            except OSError as error:
                if error.errno not in NO_LOCKS:  # a file system without locks tells nothing
                    raise


def is_in_use(path: Path) -> bool:
    """Whether a process takes part in the run whose journal is at *path*."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(descriptor)


def in_use(path: Path) -> str:
    """That another process takes part in the run whose journal is at *path*, and what to do."""
    joined: dict[int, Transition] = {}
    with suppress(StoreError):
        for one in read_journal(path).transitions:
            if one.state == "joined" and one.boot == boot_id():
                joined[one.process] = one
            elif one.state == "left":
                joined.pop(one.process, None)
    alive = [one for pid, one in joined.items() if still_runs(pid, started(pid))]
    who = ", ".join(f"process {one.process} (since {one.wall})" for one in alive)
    return (
        f"{path.parent} is in use by {who or 'another process'}: that run goes on. "
        "Wait for its end, or end it."
    )


def _ends_with_line_feed(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return not size or os.pread(descriptor, 1, size - 1) == b"\n"
