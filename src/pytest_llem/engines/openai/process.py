"""A server that is started for an experiment, and ended with it."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(".llem") / "servers"
SHOWN_LINES = 15
LOOK_S = 0.2
STOP_S = 10.0
"""How long a server may take to end when it is asked to."""


class ServerProcess:
    """A server with all the processes that it starts; what it prints goes to a file.

    It leads a session of its own, so that an interrupt from the keyboard is left to its
    experiment to pass on. Should that be killed, the supervisor ends what is left.
    """

    def __init__(self, command: str, fills: Mapping[str, str], folder: Path = FOLDER) -> None:
        """Start it.

        Raises:
            ConfigError: the command cannot be split into words, or there is no such program.
        """
        self.command = _words(command, fills)
        self.log = _log_file(folder)
        with self.log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the user's own command
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ConfigError(
                    f"openai.command cannot be started: {self.command[0]}: {error.strerror}."
                ) from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until *ready* says so.

        Raises:
            EngineError: the server ended before, or was not ready in time.
        """
        limit_s = time.monotonic() + timeout_s
        while not ready():
            if (status := self._process.poll()) is not None:
                raise EngineError(
                    f"the server that openai.command started ended with status {status} before it was "
                    f"ready. {self._output()}"
                )
            if time.monotonic() > limit_s:
                raise EngineError(
                    f"the server that openai.command started was not ready within {timeout_s:g} s "
                    f"(openai.ready_timeout_s). {self._output()}"
                )
            time.sleep(LOOK_S)

    def stop(self) -> None:
        """Ask it to end, and end it and all that it started."""
        members = _tree(self.pid)
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        for pid in {*members, *_tree(self.pid)}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _output(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace").strip()
        if not text:
            return f"It printed nothing ({self.log})."
        lines = "\n".join(text.splitlines()[-SHOWN_LINES:])
        return f"It printed last ({self.log}):\n{lines}"


def _words(command: str, fills: Mapping[str, str]) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(
            f"openai.command={command!r} cannot be split into words: {error}."
        ) from None
    for name, value in {**fills, "python": sys.executable}.items():
        words = [word.replace(f"{{{name}}}", value) for word in words]
    return words


def _log_file(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot keep the server's output in {folder}: {error.strerror}."
        ) from None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return (folder / f"{stamp}-{os.getpid()}.log").absolute()


def _tree(pid: int) -> list[int]:
    """The living descendants of a process; those of one that ended are looked for by nobody."""
    import psutil

    try:
        return [one.pid for one in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
