"""The child's side: finding the supervisor, and the entry of a bare job.

A child takes a *job*: a test, which pytest runs (:mod:`.pytest_child`), or a
bare experiment, which :func:`main` runs without pytest.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from typing import Any

from pytest_llem.errors import IsolationError, LlemError
from pytest_llem.isolation.channel import Channel
from pytest_llem.isolation.launcher import CHANNEL_VARIABLE
from pytest_llem.isolation.memory import prefer_as_victim

PR_SET_PDEATHSIG = 1


def supervised() -> bool:
    """Whether this process was started as a child and has not yet taken its channel."""
    return CHANNEL_VARIABLE in os.environ


def connect() -> tuple[Channel, dict[str, Any]]:
    """Take the control channel and receive the job.

    The variable is removed, so that what the experiment starts is no child of ours.

    Raises:
        IsolationError: the supervisor is of another version, or is gone.
    """
    from pytest_llem._version import __version__

    die_with_parent()
    prefer_as_victim()
    sock = socket.socket(fileno=int(os.environ.pop(CHANNEL_VARIABLE)))
    sock.set_inheritable(False)
    channel = Channel(sock)
    channel.send("hello", version=__version__, pid=os.getpid())
    job = channel.receive(None)
    if job is None or job.kind != "job":
        raise IsolationError(f"expected a job from the supervisor, received {job}")
    if job.fields["version"] != __version__:
        error = IsolationError(
            f"this interpreter ({sys.executable}) has pytest-llem {__version__}, the pytest that "
            f"started it has {job.fields['version']}. Install the same version in both."
        )
        channel.send("uncollected", message=str(error))
        raise error
    return channel, job.fields


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel kill this process when its parent dies (``prctl(2)``); 0 undoes it."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def main() -> None:
    """Run a bare job: call the function it names with the channel and the job."""
    from pytest_llem.registry import resolve

    try:
        channel, job = connect()
    except IsolationError as error:
        sys.exit(str(error))
    try:
        resolve(job["function"])(channel, job)
    except LlemError as error:
        channel.send("outcome", outcome="error", message=str(error))
    else:
        channel.send("outcome", outcome="passed", message=None)


if __name__ == "__main__":
    faulthandler.enable()  # as pytest does in its own
    main()
