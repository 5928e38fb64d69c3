"""Ends what a killed supervisor leaves behind.

The kernel kills a child with its parent, but not what the child has started. So a small
process waits at a pipe whose other end is the supervisor's. When that closes, however it
came, it kills every process that bears one of the supervisor's tokens in its environment.

Run as a script, it imports nothing beyond a few modules of the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

VARIABLE = "LLEM_EXPERIMENT"
"""As ``process_tree.TOKEN_VARIABLE``, which this script cannot import."""
ROUNDS = 20


def bearers(prefix: bytes) -> list[int]:
    """Living processes whose token begins with *prefix*."""
    wanted = f"\0{VARIABLE}=".encode() + prefix
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs a start-up
        if entry.isdigit():
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{entry}/environ", "rb") as file,  # noqa: PTH123 - as above
            ):
                if wanted in b"\0" + file.read():
                    found.append(int(entry))
    return found


def main() -> None:
    """Wait for the end of standard input, then kill."""
    prefix = sys.argv[1].encode()
    while os.read(0, 1):
        pass
    for _ in range(ROUNDS):
        doomed = bearers(prefix)
        for pid in doomed:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not doomed:
            break


if __name__ == "__main__":
    main()
