"""The pytest plugin: options, and the classes that do the work once they are needed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.components.rules import set_project
from pytest_llem.fixtures import energy, model
from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, HOST_VARIABLE
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.options import add_plan_options
from pytest_llem.reports.options import add_report_options
from pytest_llem.runs.ci.options import add_ci_options
from pytest_llem.runs.gate_options import add_gate_options
from pytest_llem.runs.html_option import add_html_option
from pytest_llem.runs.meter_options import add_meter_options
from pytest_llem.runs.output_options import add_output_options, not_written
from pytest_llem.runs.process_options import RANDOM, add_process_options
from pytest_llem.runs.resuming.options import add_resume_options
from pytest_llem.runs.standing import add_profile_option, read_standing_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llem.plan.outlook import Outlook
    from pytest_llem.runs.summary import Summary

__all__ = ["energy", "model"]
IS_CHILD = pytest.StashKey[bool]()


OPTIONS = (
    add_plan_options,
    add_profile_option,
    add_process_options,
    add_meter_options,
    add_gate_options,
    add_report_options,
    add_output_options,
    add_html_option,
    add_ci_options,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("llem", "energy experiments on LLM inference")
    for add_options in OPTIONS:
        add_options(group.addoption)
    add_resume_options(group)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_llem import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """See what conftest files do to the random numbers of a fork server."""
    if HOST_VARIABLE in os.environ:
        from pytest_llem.isolation.fork.fresh import SEEDING

        SEEDING.watch()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Become a child, if this process was started as one."""
    if HOST_VARIABLE in os.environ:
        from pytest_llem.isolation.fork.host import become_server

        become_server(config)
        config.stash[IS_CHILD] = True
    elif CHANNEL_VARIABLE in os.environ:
        from pytest_llem.isolation.pytest_child import enter

        enter(config)
        config.stash[IS_CHILD] = True


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    set_project(config.rootpath)
    is_told = hasattr(config, "workerinput") or config.stash.get(IS_CHILD, False)
    if config.option.llem_resume is not None and not is_told:
        from pytest_llem.runs.options import resume_run

        resume_run(config)
    config.option.llem_dry_run |= config.option.llem_plan_json is not None
    _configure_collection(config)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(RunSummary(config), "llem-summary")


def _configure_collection(config: pytest.Config) -> None:
    from pytest_llem.plan.collection import MARKER_HELP, ExperimentCollection
    from pytest_llem.plan.only import OnlyPoint, only_point

    config.addinivalue_line("markers", MARKER_HELP)
    collection = ExperimentCollection(
        config,
        known_backends=lambda: _engine_names(config),
        standing=lambda: read_standing_of(config),
    )
    config.pluginmanager.register(collection, "llem-collection")
    if config.option.llem_shuffle is not None:
        _shuffle(config)
    only = only_point(config)
    if only is not None:
        config.pluginmanager.register(OnlyPoint(only), "llem-only-point")
    if config.option.llem_dry_run:
        from pytest_llem.plan.dry_run import DryRun

        config.pluginmanager.register(
            DryRun(config, collection, lambda: _outlook(config)), "llem-dry-run"
        )


def _shuffle(config: pytest.Config) -> None:
    from pytest_llem.runs.order import FirstRound

    if config.option.llem_shuffle == RANDOM:  # before workers of xdist are given the options
        config.option.llem_shuffle = int.from_bytes(os.urandom(4), "big")
    config.pluginmanager.register(FirstRound(config.option.llem_shuffle), "llem-first-round")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say in which order experiments run, if not once each as collected."""
    option, said = config.option, []
    if option.llem_max_repeats is not None:
        said.append(f"up to {option.llem_max_repeats} processes each, as their gates need them")
    elif (option.llem_repeats or 1) > 1:
        said.append(f"{option.llem_repeats} processes each, interleaved")
    if option.llem_shuffle is not None:
        said.append(f"shuffled by --llem-shuffle={option.llem_shuffle}")
    return [f"llem: {', '.join(said)}"] if said else []


def _outlook(config: pytest.Config) -> Outlook:
    from pytest_llem.runs.preview import outlook

    return outlook(config)


def _engine_names(config: pytest.Config) -> Collection[str]:
    """Engines that are installed here, and those for which another environment is configured."""
    from pytest_llem.config.homes import read_homes
    from pytest_llem.engines import ENGINES
    from pytest_llem.errors import ConfigError

    try:
        elsewhere = read_homes(config.rootpath, os.environ, ()).engines
        return {*ENGINES.names(), *elsewhere}
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Fail early, before a model is loaded, where options cannot be satisfied."""
    config = session.config
    asks = any(config.getoption(name) for name in ("llem_require", "llem_gate", "llem_log"))
    if asks and not config.stash.get(IS_CHILD, False):
        from pytest_llem.runs.options import check_options

        check_options(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Get ready to conduct experiments, if this process collected any to run."""
    config = session.config
    if config.stash.get(IS_CHILD, False):
        return
    if config.getoption("collectonly") or config.getoption("llem_dry_run"):
        return
    if any(POINT_KEY in item.stash for item in session.items):
        from pytest_llem.runs.preparing import prepare

        prepare(session)


class RunSummary:
    """Sums up what experiments' reports told, wherever they ran."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._summary: Summary | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Have all workers of xdist write into one run."""
        from pytest_llem.runs.workers.told import told_to_workers

        node.workerinput.update(told_to_workers(self._config))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = getattr(report, "llem", None)
        if told is not None:
            self.of_run(told["run"]).hear(told)

    def of_run(self, run: str) -> Summary:
        """The summary of the run in the directory *run*, begun if need be."""
        if self._summary is None:
            from pytest_llem.runs.summary import begin_summary

            self._summary = begin_summary(self._config, run)
        return self._summary

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if self._summary is not None:
            self._summary.close(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._summary is not None:
            from pytest_llem.runs.terminal import write_summary

            write_summary(self._summary, terminalreporter)
        elif (said := not_written(self._config)) is not None:
            terminalreporter.write_line(said)
