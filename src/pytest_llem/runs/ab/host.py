"""The pytest of one side: a plugin that collects once, then measures what it is asked for.

It speaks over the socket that :data:`VARIABLE` names, in lines as isolation's channel has them:

==============  =========================================================  ====================
kind            fields                                                     answer
==============  =========================================================  ====================
``collected``   ``version``, ``root``, ``experiments`` (gates by node id), none
                ``strict``, ``match``, ``single``
``measure``     ``node_id``, ``number``, ``watched``: from the other side  ``measured`` or
                                                                           ``nothing``
``end``         nothing more will be asked: from the other side            none
``progress``    ``phase``, ``index``, ``count``, ``power_w``,              none
                ``estimated``
``measured``    ``run``, ``name``: where the result is kept                none
``nothing``     ``message``: why there is no result                        none
==============  =========================================================  ====================

Every experiment runs in a fresh process of its own, as always; what stays is the pytest that
starts and watches it, which does nothing while it is not asked.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem._version import __version__
from pytest_llem.plan.collection import POINT_KEY

if TYPE_CHECKING:
    from pytest_llem.isolation.channel import Channel, Message
    from pytest_llem.isolation.observer import Progress
    from pytest_llem.runs.session import ExperimentSession

VARIABLE = "LLEM_SIDE"
"""Descriptor of the socket."""
PLUGINS, OWN_PLUGINS = "PYTEST_PLUGINS", "LLEM_SIDE_PLUGINS"
"""The variable that has pytest load this plugin, and what it held before."""
ALONE: dict[str, Any] = {"numprocesses": None, "dist": "no", "tx": []}
"""Options of pytest-xdist under which nothing is spread over workers."""
BETWEEN_NS = 500_000_000
"""Least time between two messages of progress."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Become a side's host; processes that this one starts must not."""
    descriptor = os.environ.pop(VARIABLE, None)
    if descriptor is None:
        return
    own = os.environ.pop(OWN_PLUGINS, "")
    os.environ.pop(PLUGINS, None)
    if own:
        os.environ[PLUGINS] = own
    for option, value in ALONE.items():
        if hasattr(config.option, option):
            setattr(config.option, option, value)
    from pytest_llem.isolation.channel import Channel

    os.set_inheritable(int(descriptor), False)
    host = Host(Channel(socket.socket(fileno=int(descriptor))))
    config.pluginmanager.register(host, "llem-side")


class Host:
    """Answers over *channel* until the other end has heard enough, or is gone."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._shown_ns = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure in place of pytest's own loop; a collection that failed is pytest's to tell."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            return None
        items = {item.nodeid: item for item in session.items if _is_experiment(item)}
        self._channel.send("collected", **_collected(session.config, items))
        experiments: Any = session.config.pluginmanager.get_plugin("llem-experiments")
        state = "interrupted"
        try:
            while (message := self._next()) is not None and message.kind == "measure":
                self._measure(experiments, items[message.fields["node_id"]], message)
            state = "interrupted" if message is None else "finished"
        finally:
            if experiments is not None:
                _close_books(experiments, state)
        return True

    def _next(self) -> Message | None:
        """What is asked for next; ``None`` if whoever asked is gone."""
        from pytest_llem.isolation.channel import ChannelClosedError

        try:
            while True:
                if (message := self._channel.receive(None)) is not None:
                    return message
        except ChannelClosedError:
            return None

    def _measure(self, experiments: ExperimentSession, item: pytest.Item, asked: Message) -> None:
        from pytest_llem.isolation.channel import ChannelClosedError

        estimated = not experiments.conductor.instruments.choice.measured
        show = partial(self._show, estimated) if asked.fields["watched"] else None
        measured = experiments.measure(item, asked.fields["number"], show)
        try:
            if measured.result is None or measured.problem is not None:
                message = measured.problem or measured.ended.account.message or "nothing was said"
                self._channel.send("nothing", message=str(message))
            else:
                run = str(experiments.conductor.store.path)
                self._channel.send("measured", run=run, name=measured.name)
        except ChannelClosedError:
            pytest.exit("nobody waits for this side any more", pytest.ExitCode.INTERRUPTED)

    def _show(self, estimated: bool, progress: Progress) -> None:
        now = time.monotonic_ns()
        if now - self._shown_ns < BETWEEN_NS:
            return
        self._shown_ns = now
        said = {"phase": progress.phase, "index": progress.index, "count": progress.count}
        self._channel.send("progress", **said, power_w=progress.power_w, estimated=estimated)


def _is_experiment(item: pytest.Item) -> bool:
    point = item.stash.get(POINT_KEY, None)
    return point is not None and point.config is not None


def _collected(config: pytest.Config, items: dict[str, pytest.Item]) -> dict[str, Any]:
    from pytest_llem.runs.options import settings_of
    from pytest_llem.runs.preparing import rules_of

    settings = replace(settings_of(config), max_repeats=None)
    rules = rules_of(list(items.values()), settings)
    return {
        "version": __version__,
        "root": str(config.rootpath),
        "experiments": {node_id: [str(rule) for rule in own] for node_id, own in rules.items()},
        "strict": settings.strict,
        "match": settings.baseline_table.match,
        "single": settings.isolation == "none",
    }


def _close_books(experiments: ExperimentSession, state: Any) -> None:
    from pytest_llem.runs.books import close_books

    if experiments.conductor.begun:
        store = experiments.conductor.store
        close_books(store, replace(experiments.conductor.settings, update_baselines=False), state)
