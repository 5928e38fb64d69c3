"""What plugins hand to workers of xdist, handed to our children, who pose as such."""

from __future__ import annotations

import contextlib
import socket
import sys
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pytest_llem.plan.standing import worker_input_of

if TYPE_CHECKING:
    import pytest

WITHOUT = frozenset({"_cov"})
"""Plugins that are switched off in children."""


def worker_input(config: pytest.Config) -> dict[str, Any]:
    """Values for a child's ``config.workerinput``.

    Plugins with a process on both sides (such as pytest-randomly's seed and
    pytest-rerunfailures' database) give theirs in ``pytest_configure_node``; one
    that needs more of xdist's node than there is here is passed over.
    """
    own = {"workerid": "llem", "workercount": 1, "mainargv": list(sys.argv)}
    inherited = getattr(config, "workerinput", None)
    if inherited is None:
        inherited = {"testrunuid": uuid.uuid4().hex, **_given_by_plugins(config)}
    return {**own, **inherited, **worker_input_of(config)}


def _given_by_plugins(config: pytest.Config) -> dict[str, Any]:
    given: dict[str, Any] = {}
    gateway = SimpleNamespace(id="llem", spec=None)
    node = SimpleNamespace(config=config, workerinput=given, gateway=gateway)
    caller = getattr(config.hook, "pytest_configure_node", None)
    for implementation in caller.get_hookimpls() if caller is not None else ():
        if implementation.plugin_name not in WITHOUT:
            with contextlib.suppress(Exception):
                implementation.function(node)
    return given


def localized(given: dict[str, Any], config: pytest.Config) -> dict[str, Any]:
    """*given* for a child whose loopback is not that of its parent, as in a container.

    pytest-rerunfailures counts in a server of the parent; where that cannot be reached,
    the child gets one of its own, so that only a limit over the whole session is lost.
    """
    plugin = config.pluginmanager.get_plugin("rerunfailures")
    port = given.get("sock_port")
    if plugin is None or port is None or _is_reachable(port):
        return given
    server = plugin.ServerStatusDB()
    return {**given, "sock_port": server.sock_port, "statusdb_token": getattr(server, "token", "")}


def _is_reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
