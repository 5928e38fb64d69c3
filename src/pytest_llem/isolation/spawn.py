"""The spawn launcher: a fresh interpreter for every experiment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import IO, TYPE_CHECKING

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.channel import Channel
from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, Command, Launched
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE, ProcessTree
from pytest_llem.isolation.tokens import TOKENS
from pytest_llem.isolation.waiting import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

REAP_S = 5.0
THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""What a child finds in its environment where the user set nothing.

Without the first, ``import numpy`` leaves OpenBLAS threads behind. Without the second,
OpenMP threads that wait for work spin: they count as CPU time, which an estimate takes
for work, and one busy neighbour makes a run several times slower.
"""


class SpawnedProcess:
    """A child started by :class:`SpawnLauncher`."""

    def __init__(self, popen: subprocess.Popen[bytes], token: str) -> None:
        self._popen = popen
        self.tree = ProcessTree(popen.pid, token)

    def wait(self, timeout_s: float | None) -> int | None:
        self._sleep_until_ended(timeout_s)
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _sleep_until_ended(self, timeout_s: float | None) -> None:
        """Wait without the naps of ``Popen.wait``, which are up to 50 ms long."""
        if self._popen.returncode is not None or not hasattr(os, "pidfd_open"):
            return
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(self._popen.pid)
            try:
                readable(descriptor, timeout_s)
            finally:
                os.close(descriptor)

    def interrupt(self) -> None:
        if self._popen.poll() is None:
            with contextlib.suppress(OSError):
                self._popen.send_signal(signal.SIGINT)

    def end(self) -> None:
        self.tree.kill()
        self.wait(REAP_S)


class SpawnLauncher:
    """Starts children with ``subprocess``, each in a session of its own."""

    def __init__(self, python: str = sys.executable, why: str | None = None) -> None:
        """*why* says why children are spawned, if something else was asked for."""
        self._python = python
        self._why = why

    def launch(self, command: Command) -> Launched:
        token = TOKENS.new()
        try:
            here, there = socket.socketpair()
        except OSError as error:
            raise _not_started(self._python, error) from error
        own = {CHANNEL_VARIABLE: str(there.fileno()), TOKEN_VARIABLE: token}
        try:
            with there, opened_output(command) as output:
                popen = subprocess.Popen(  # noqa: S603 - the command is ours
                    [self._python, *command.arguments],
                    cwd=command.directory,
                    env={**inherited(command), **own},
                    stdin=None if command.terminal else subprocess.DEVNULL,
                    stdout=output,
                    stderr=None if output is None else subprocess.STDOUT,
                    pass_fds=[there.fileno()],
                    start_new_session=not command.terminal,
                )
        except OSError as error:
            here.close()
            raise _not_started(self._python, error) from error
        return Launched(Channel(here, queues=True), SpawnedProcess(popen, token), why=self._why)

    def close(self) -> None:
        """Nothing is kept running."""


def _not_started(python: str, error: OSError) -> IsolationError:
    return IsolationError(
        f"could not start a child process with {python}: {error}. Is the interpreter executable, "
        "the directory readable, are there memory, processes and open files (ulimit -n) left?"
    )


@contextlib.contextmanager
def opened_output(command: Command) -> Iterator[IO[bytes] | None]:
    """The emptied file that takes what *command* prints; ``None`` for this process's own."""
    if command.output is None:
        yield None
    else:
        command.output.write_bytes(b"")
        with command.output.open("ab") as file:  # appending, so that it can be cut meanwhile
            yield file


def inherited(command: Command) -> dict[str, str]:
    """What the child of *command* finds in its environment, beside what is for it alone."""
    return {**THREADS, **os.environ, **command.environment}
