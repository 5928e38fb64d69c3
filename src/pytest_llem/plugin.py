"""The pytest plugin: options, and the classes that do the work once they are needed."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.components.rules import set_project
from pytest_llem.fixtures import energy, model
from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, HOST_VARIABLE
from pytest_llem.plan.collection import POINT_KEY
from pytest_llem.plan.options import add_options
from pytest_llem.reports.options import add_report_options
from pytest_llem.runs.anchor_option import ANCHORS, ANCHORS_HELP
from pytest_llem.runs.ci.options import add_ci_options
from pytest_llem.runs.html_option import add_html_option
from pytest_llem.runs.limits import LOCK_TIMEOUT_S, TIMEOUT_S
from pytest_llem.runs.resuming.options import add_resume_options
from pytest_llem.runs.standing import add_profile_option, read_standing_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llem.plan.outlook import Outlook
    from pytest_llem.runs.summary import Summary

__all__ = ["energy", "model"]
IS_CHILD = pytest.StashKey[bool]()
RANDOM = -1
"""Stands for a seed that is yet to be drawn."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("llem", "energy experiments on LLM inference")
    add = group.addoption
    add(
        "--llem-backend",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        help="engine to measure; several multiply the grid",
    )
    add("--llem-model", metavar="MODEL", help="built-in model, local folder or hub id to measure")
    add(
        "--llem-set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="override a field of every experiment (vllm.max_num_seqs=64, measurement.windows=9)",
    )
    add_profile_option(add)
    add("--llem-dry-run", action="store_true", help="show the grid; load and measure nothing")
    add(
        "--llem-isolation",
        choices=["auto", "fork-server", "spawn", "container", "none"],
        default="auto",
        help="a process per experiment: forked from a warm one where that is safe, else spawned "
        "(auto, the default; fork-server, which warns), started afresh (spawn), in a container of "
        "the engine's image, or none, for debugging",
    )
    add(
        "--llem-container-runtime",
        choices=["auto", "podman", "docker"],
        help="what runs containers (default: that of the configuration file, or auto)",
    )
    add(
        "--llem-memory-limit",
        metavar="SIZE",
        help="end an experiment whose processes together take more memory (8GiB)",
    )
    add(
        "--llem-repeats",
        type=int,
        default=None,
        metavar="K",
        help="run each experiment in K fresh processes, interleaved, and judge them as one",
    )
    add(
        "--llem-max-repeats",
        type=int,
        default=None,
        metavar="N",
        help="add processes to experiments whose gate is undecided, up to N, and stop at those "
        "that are clear; the error rate is that of looking once",
    )
    add(
        "--llem-shuffle",
        nargs="?",
        type=_seed,
        const=RANDOM,
        metavar="SEED",
        help="shuffle the experiments within each round; without SEED one is drawn and shown",
    )
    add(
        "--llem-timeout",
        type=float,
        default=TIMEOUT_S,
        metavar="SECONDS",
        help="end an experiment that takes longer (default: %(default)g; 0 never)",
    )
    add(
        "--llem-lock-timeout",
        type=float,
        default=LOCK_TIMEOUT_S,
        metavar="SECONDS",
        help="how long an experiment waits for devices that another one measures "
        "(default: %(default)g; 0 fails at once and says who has them)",
    )
    add(
        "--llem-allow-shared",
        action="store_true",
        help="measure also where others use the same devices, and mark the results",
    )
    add(
        "--llem-meter",
        default="auto",
        metavar="NAME[,NAME]",
        help="what reads the energy: auto (default), nvml, zeus, rapl, codecarbon, estimate, "
        "replay:FILE; several stand beside each other",
    )
    add(
        "--llem-require",
        choices=["measured"],
        help="fail the run unless energy is measured rather than estimated",
    )
    add(
        "--llem-cpu-watts",
        type=float,
        metavar="WATTS",
        help="declared watts per busy core, for the estimate meter",
    )
    add(
        "--llem-gate",
        action="append",
        default=[],
        metavar="METRIC:TOLERANCE[@GLOB]",
        help="fail on a regression beyond tolerance (energy_per_output_token_j:5%%, "
        "ttft_s:+20ms@bench/test_chat.py*); off takes a gate away",
    )
    add(
        "--llem-strict",
        action="store_true",
        help="fail also where nothing could be told: inconclusive, incomparable, new",
    )
    add("--llem-update-baselines", action="store_true", help="store this run as the baseline")
    add(
        "--llem-extend-baselines",
        action="store_true",
        help="add this run to the baseline as a further session of the same",
    )
    add(
        "--llem-baseline-from",
        metavar="PATH|REF",
        help="compare with the baselines in another directory or file, or at a git ref (main)",
    )
    add(ANCHORS, choices=["auto", "on", "off"], help=ANCHORS_HELP)
    add("--llem-baselines", metavar="DIR", help="where baselines live (default: ROOT/baselines)")
    add(
        "--llem-export",
        action="append",
        default=[],
        metavar="NAME:PATH",
        help="write the run's results in another format, too (csv:results.csv)",
    )
    add(
        "--llem-cost",
        action="store_true",
        help="say what the run took: time, energy, money, carbon",
    )
    add_html_option(add)
    add("--llem-log", metavar="PATH", help="append every transition of the run as JSON lines")
    add("--llem-dir", metavar="DIR", help="where runs are kept (default: ROOT/.llem)")
    add_ci_options(add)
    add_resume_options(group)
    add_report_options(add)
    add_options(add)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is no seed. Write --llem-shuffle=SEED with a whole number, or "
            "--llem-shuffle alone as the last argument or before another option"
        )
    return int(text)


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
        from pytest_llem.runs.options import told_to_workers

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
