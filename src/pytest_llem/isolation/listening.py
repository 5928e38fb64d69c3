"""The processes behind a port of this machine: a server that somebody else started."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_llem.isolation.process_tree import ProcessTree

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOK_AGAIN_S = 5.0


class Processes(Protocol):
    """Processes, and a clock of the CPU time they used."""

    def cpu_time_s(self) -> float: ...

    def members(self) -> Iterable[int]: ...


def listeners(port: int) -> list[int]:
    """Processes that listen at *port*; those of other users can only be seen by root."""
    import psutil

    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return []
    return sorted(
        {
            one.pid
            for one in found
            if one.pid and one.status == psutil.CONN_LISTEN and tuple(one.laddr)[1:2] == (port,)
        }
    )


@dataclass(slots=True)
class WithServer:
    """An experiment's processes together with those of the server that it asks."""

    own: Processes
    port: int
    _trees: dict[int, ProcessTree] = field(default_factory=dict)
    _looked_s: float = float("-inf")

    def cpu_time_s(self) -> float:
        """CPU seconds of both; what the server used before it was first seen counts as well."""
        return self.own.cpu_time_s() + sum(tree.cpu_time_s() for tree in self._server())

    def members(self) -> list[int]:
        """Those of both that live."""
        members = list(self.own.members())
        for tree in self._server():
            members.extend(tree.members())
        return members

    def _server(self) -> list[ProcessTree]:
        """Their trees; one that was seen stays, so that the time it used does not vanish."""
        if time.monotonic() - self._looked_s >= LOOK_AGAIN_S:
            self._looked_s = time.monotonic()
            for pid in listeners(self.port):
                self._trees.setdefault(pid, ProcessTree(pid, None))
        return list(self._trees.values())
