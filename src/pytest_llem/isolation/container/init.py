"""The first process of a container: starts the child, and ends with its supervisor.

``python -m pytest_llem.isolation.container.init ARGUMENTS`` runs the interpreter with
*ARGUMENTS*. It connects twice to the supervisor's socket. The second connection becomes
the child's control channel, as a descriptor like any launcher's. The first one is the
leash: on it the child's exit status is told and interrupts are received, and when it is
closed, because the supervisor is done or dead, this process exits, whereupon the kernel
kills everything else in the container (``pid_namespaces(7)``).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from typing import NoReturn

from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, SOCKET_VARIABLE

INTERRUPT = b"i"
TERMINAL_VARIABLE = "LLEM_CONTAINER_TERMINAL"
ENDED = 137


def main() -> NoReturn:
    path = os.environ.pop(SOCKET_VARIABLE)
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # has to be handled to wake anybody
    signal.signal(signal.SIGTERM, lambda *_: os._exit(ENDED))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # reaches the child by the leash
    leash = connected(path)
    with connected(path) as channel:
        child = start(sys.argv[1:], channel)
    while True:
        status = reaped(child.pid)
        if status is not None:
            with contextlib.suppress(OSError):
                leash.sendall(b"%d\n" % status)
            os._exit(0)
        ready, _, _ = select.select([leash, woken], [], [])
        if woken in ready:
            woken.recv(4096)
        if leash in ready:
            obey(leash, child.pid)


def connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def start(arguments: list[str], channel: socket.socket) -> subprocess.Popen[bytes]:
    """The child, which finds SIGINT as any program does."""
    terminal = os.environ.pop(TERMINAL_VARIABLE, None)
    return subprocess.Popen(  # noqa: S603 - the command is ours
        [sys.executable, *arguments],
        env={**os.environ, CHANNEL_VARIABLE: str(channel.fileno())},
        pass_fds=[channel.fileno()],
        start_new_session=terminal is None,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads here
    )


def reaped(child: int) -> int | None:
    """Reap all that has ended, orphans too; the status of *child* if it was among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                status = os.waitstatus_to_exitcode(ended[1])
    return status


def obey(leash: socket.socket, child: int) -> None:
    try:
        said = leash.recv(64)
    except OSError:
        said = b""
    if not said:
        os._exit(ENDED)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGINT)


if __name__ == "__main__":
    main()
