"""Getting a pytest session ready for its experiments: rules, engines, and what conducts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem._compat import without_group
from pytest_llem.baselines.rulebook import Rulebook
from pytest_llem.errors import ConfigError, LlemError
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.markers import gates_of
from pytest_llem.runs.item_session import command_of
from pytest_llem.runs.options import settings_of
from pytest_llem.runs.refusals import refuse
from pytest_llem.runs.session import ExperimentSession
from pytest_llem.runs.terminal import sayer, watcher

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_llem.baselines.rules import Rule
    from pytest_llem.plan.point import Point
    from pytest_llem.runs.item_session import ItemSession
    from pytest_llem.runs.settings import RunSettings


def engines_of(items: Sequence[pytest.Item]) -> tuple[set[str], set[str]]:
    """Engines that the experiments among *items* name, and those whose model is loaded."""
    named, loaded = set(), set()
    for item in items:
        point = item.stash.get(POINT_KEY, None)
        if point is not None and point.config is not None:
            named.add(point.config.backend)
            if "model" in getattr(item, "fixturenames", ()):
                loaded.add(point.config.backend)
    return named, loaded


def rules_of(items: Sequence[pytest.Item], settings: RunSettings) -> dict[str, tuple[Rule, ...]]:
    """The rules of every experiment among *items*, by node id.

    Raises:
        ConfigError: a gate makes no sense, and where it was declared.
    """
    book = Rulebook(settings.configured_gates, settings.gates)
    rules = {}
    for item in items:
        point = item.stash.get(POINT_KEY, None)
        if point is not None and point.config is not None:
            node_id = without_group(item)
            rules[node_id] = book.rules(node_id, gates_of(item))
    if settings.max_repeats is not None and not any(rules.values()):
        raise ConfigError(
            f"--llem-max-repeats={settings.max_repeats} adds processes until a gate is decided. "
            "Add a --llem-gate."
        )
    return rules


def prepare(session: pytest.Session) -> None:
    """Register what conducts the experiments that *session* collected.

    Raises:
        pytest.UsageError: what was asked for cannot be had, and what to do; a worker of
            pytest-xdist tells its controller, and runs nothing.
    """
    config = session.config
    points = [item.stash[POINT_KEY] for item in session.items if POINT_KEY in item.stash]
    try:
        settings = settings_of(config)
        rules = rules_of(session.items, settings)
        if hasattr(config, "workerinput"):
            experiments = _as_worker(session, points, settings, rules)
        else:
            experiments = _alone(config, points, settings, rules)
        if settings.resume is not None:
            experiments.conductor.begin(points, command_of(config))
        experiments.conductor.launchers.prepare(*engines_of(session.items))
        experiments.ready(session.items)
    except LlemError as error:
        refuse(session, error)
        return
    config.pluginmanager.register(experiments, "llem-experiments")


def _alone(
    config: pytest.Config,
    points: Sequence[Point],
    settings: RunSettings,
    rules: Mapping[str, tuple[Rule, ...]],
) -> ItemSession:
    experiments = ExperimentSession(config, points, settings, rules)
    experiments.processes.watch = watcher(
        config,
        experiments.pace.left_s,
        estimated=not experiments.conductor.instruments.choice.measured,
    )
    experiments.say = sayer(config)
    return experiments


def _as_worker(
    session: pytest.Session,
    points: Sequence[Point],
    settings: RunSettings,
    rules: Mapping[str, tuple[Rule, ...]],
) -> ItemSession:
    from pytest_llem.runs.workers.place import check_place
    from pytest_llem.runs.workers.session import WorkerSession

    several = settings.max_repeats is not None or any(
        settings.processes(point.repeats) > 1 for point in points
    )
    check_place(session.config, settings, several=several, gated=any(rules.values()))
    return WorkerSession(session, points, settings, rules, serves=several)
