"""Tokens by which the processes of an experiment are found, whoever outlives whom."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import subprocess
import sys
import uuid
from pathlib import Path

from pytest_llem.isolation import undertaker

WAIT_S = 5.0


class Tokens:
    """The tokens of one supervisor; with the first of them its undertaker begins to wait."""

    def __init__(self) -> None:
        self._prefix = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._owner: int | None = None

    def new(self) -> str:
        """A token for the environment of one experiment's processes; all are of one length."""
        if self._owner != os.getpid():  # the first, or in a fork, which is another supervisor
            self._prefix = uuid.uuid4().hex
            self._owner = os.getpid()
            self._engage()
        return f"{self._prefix}.{next(self._numbers):010}"

    def _engage(self) -> None:
        """Start the undertaker; without one, only what the kernel does is done."""
        if sys.platform != "linux":
            return
        script = str(Path(undertaker.__file__))
        with contextlib.suppress(OSError):
            process = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", script, self._prefix],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            atexit.register(_dismiss, process, os.getpid())


def _dismiss(process: subprocess.Popen[bytes], owner: int) -> None:
    if os.getpid() == owner:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            process.communicate(timeout=WAIT_S)


TOKENS = Tokens()
"""Those of this process."""
