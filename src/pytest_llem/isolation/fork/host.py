"""The fork server: a warm pytest process whose forks run one experiment each.

It forks twice, so that an experiment finds imported what a fresh process would have imported,
and nothing else. The *server* has read the options and imported the plugins, the first
conftest files and the engine. For each test file it forks a *host*, which configures pytest
and collects that file. A host forks *experiments*: each takes its one item and runs it, as
any child does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem import _compat
from pytest_llem.engines.preloading import preload
from pytest_llem.isolation.child import connect, die_with_parent
from pytest_llem.isolation.fork.forking import Forking, process_descriptor
from pytest_llem.isolation.fork.fresh import SEEDING, seed_numpy, take_environment, take_files
from pytest_llem.isolation.fork.wire import Wire, WireClosedError
from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, HOST_VARIABLE
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE
from pytest_llem.isolation.pytest_child import ChildReports, pose_as_worker, take_job
from pytest_llem.plan.only import ONLY_POINT, OnlyPoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.isolation.fork.forking import Request

NOTHING = "\0"
"""A node id that no item has."""
TOLD_OF_ITEMS = ("pytest_collection_modifyitems", "pytest_collection_finish")
"""Hooks that an experiment calls, with its one item."""


def become_server(config: pytest.Config) -> None:
    """Serve hosts; returns in a host, which goes on as pytest over its test file."""
    die_with_parent()
    parent = process_descriptor(os.getppid())
    sock = socket.socket(fileno=int(os.environ.pop(HOST_VARIABLE)))
    sock.set_inheritable(False)
    die_with_parent(0)  # from here on it is told otherwise, which leaves time to end all forks
    request = Forking(Wire(sock), _prepare, parent).serve()
    fields = request.fields
    recorder = Recorder()
    job = {
        "workerinput": fields["workerinput"],
        "argument": fields["file"],
        "node_id": NOTHING,
        "basetemp": f"{fields['basetemp']}-{os.getpid()}",
    }
    reports = pose_as_worker(config, job, recorder)
    wire = Wire(socket.socket(fileno=request.files[0]))
    config.pluginmanager.register(Host(wire, reports, recorder), "llem-host")


def _prepare(fields: dict[str, Any]) -> None:
    for module in fields["modules"]:
        importlib.import_module(module)
    if fields["experiment"] is not None:
        preload(fields["experiment"])


class Recorder:
    """Takes what a host has to say, for each of its experiments to say."""

    def __init__(self) -> None:
        self._said: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self._said.append((kind, fields))

    def last(self, otherwise: str) -> str:
        """What was said last of why nothing was collected."""
        said = [fields["message"] for kind, fields in self._said if kind == "uncollected"]
        return said[-1].strip().splitlines()[-1] if said and said[-1].strip() else otherwise

    def repeat(self, send: Callable[..., None]) -> None:
        for kind, fields in self._said:
            send(kind, **fields)


class Host:
    """Collects one test file and forks its experiments."""

    def __init__(self, wire: Wire, reports: ChildReports, recorder: Recorder) -> None:
        self._wire = wire
        self._reports = reports
        self._recorder = recorder
        self._is_host = True
        self._items: dict[str, pytest.Item] = {}
        self._collected: list[pytest.Item] = []
        """Kept, as forgetting an item writes to its page, which a fork then copies."""

    def pytest_unconfigure(self) -> None:
        """Say that pytest ended before it could serve, with what it said last."""
        if self._is_host:
            with contextlib.suppress(WireClosedError):
                self._wire.send("refused", reason=self._recorder.last("pytest ended"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Serve in the place where pytest collects, after all other hooks have got ready."""
        _compat.replace_collecting(session, self._collect)

    def _collect(self, session: pytest.Session, collect: Callable[[], object]) -> None:
        """Collect the file, then serve; an experiment returns, with its item."""
        self._collect_file(session, collect)
        request = Forking(self._wire, _prepare).serve()
        self._become_experiment(session.config, request)
        item = self._items.get(session.config.stash[ONLY_POINT])
        if item is None:  # it will say so, as a fresh process would
            collect()
        else:
            _take_item(session, item)

    def _collect_file(self, session: pytest.Session, collect: Callable[[], object]) -> None:
        """Collect all items of the file; to tell of one is left to its experiment."""
        session.config.pluginmanager.unregister(name="llem-only-point")
        with _compat.unheard(session.config, *TOLD_OF_ITEMS):
            collect()
        if session.testsfailed:
            pytest.exit(f"{session.config.args[0]} could not be imported")
        self._collected = session.items
        self._items = {item.nodeid: item for item in session.items}

    def _become_experiment(self, config: pytest.Config, request: Request) -> None:
        self._is_host = False
        os.setsid()
        channel_file, output, error = request.files
        take_files(output, error)
        SEEDING.unwatch()
        seed_numpy()
        take_environment(
            {
                **request.fields["environment"],
                CHANNEL_VARIABLE: str(channel_file),
                TOKEN_VARIABLE: request.fields["token"],
            }
        )
        _compat.restart_capture(config)
        channel, job = connect()
        take_job(config, channel, job)
        self._reports.speak_over(channel)
        self._recorder.repeat(channel.send)
        _compat.set_base_temp(config, Path(job["basetemp"]))
        config.pluginmanager.register(OnlyPoint(config.stash[ONLY_POINT]), "llem-only-point")


def _take_item(session: pytest.Session, item: pytest.Item) -> None:
    """Do what is left of collecting, as if *item* were all that was found."""
    session.items = [item]
    session.testscollected = 0
    hook = session.config.hook
    try:
        session.config.pluginmanager.check_pending()
        hook.pytest_collection_modifyitems(
            session=session, config=session.config, items=session.items
        )
    finally:
        hook.pytest_collection_finish(session=session)
    session.testscollected = len(session.items)
