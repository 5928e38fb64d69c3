"""The spawn launcher: a fresh interpreter for every experiment."""

from __future__ import annotations

import contextlib
import math
import os
import select
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000))
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
        try:
            with there, opened_output(command) as output:
                popen = subprocess.Popen(  # noqa: S603 - the command is ours
                    [self._python, *command.arguments],
                    cwd=command.directory,
                    env=_environment(command, there.fileno(), token),
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
        with output_of(command.output) as file:
            yield file


def output_of(path: Path) -> IO[bytes]:
    """The emptied file, open to be appended to, so that it can be cut meanwhile."""
    path.write_bytes(b"")
    return path.open("ab")


def _environment(command: Command, descriptor: int, token: str) -> dict[str, str]:
    return {
        **THREADS,
        **os.environ,
        **command.environment,
        CHANNEL_VARIABLE: str(descriptor),
        TOKEN_VARIABLE: token,
    }
