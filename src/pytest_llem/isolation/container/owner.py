"""Which process a container belongs to, so that those of dead ones can be told."""

from __future__ import annotations

import os
import re

from pytest_llem.isolation.process_identity import boot_id, pid_namespace, started, still_runs

_NAME = re.compile(r"(.+)/([0-9]+)/([0-9]+)")


def own_name() -> str:
    """This process by a name that no other ever has.

    Boot, process-id namespace, number, and start time in clock ticks.
    """
    pid = os.getpid()
    return f"{_system()}/{pid}/{started(pid)}"


def is_orphan(name: str) -> bool:
    """Whether the process called *name* is dead; never for one that cannot be seen from here."""
    said = _NAME.fullmatch(name)
    if said is None or said[1] != _system():
        return False
    return not still_runs(int(said[2]), int(said[3]))


def _system() -> str:
    return f"{boot_id()}/{pid_namespace().removeprefix('pid:[').removesuffix(']')}"
