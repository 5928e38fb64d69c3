"""The pytest plugin: options, and the classes that do the work once they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection


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
    add("--llem-dry-run", action="store_true", help="show the grid; load and measure nothing")
    add(
        "--llem-isolation",
        choices=["spawn", "none"],
        default="spawn",
        help="a fresh process per experiment (default), or none, for debugging",
    )
    add(
        "--llem-timeout",
        type=float,
        default=1800.0,
        metavar="SECONDS",
        help="end an experiment that takes longer (default: 1800; 0 never)",
    )
    add(
        "--llem-meter",
        default="auto",
        metavar="NAME",
        help="what reads the energy: auto (default), nvml, estimate",
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
        metavar="METRIC:TOLERANCE",
        help="fail on a regression beyond tolerance (energy_per_output_token_j:5%%, ttft_s:+20ms)",
    )
    add(
        "--llem-strict",
        action="store_true",
        help="fail also where nothing could be told: inconclusive, incomparable, new",
    )
    add("--llem-update-baselines", action="store_true", help="store this run as the baseline")
    add("--llem-baselines", metavar="DIR", help="where baselines live (default: ROOT/baselines)")
    add("--llem-dir", metavar="DIR", help="where runs are kept (default: ROOT/.llem)")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _configure_collection(config)


def _configure_collection(config: pytest.Config) -> None:
    from pytest_llem.plan.collection import MARKER_HELP, ExperimentCollection
    from pytest_llem.plan.only import OnlyPoint, only_point

    config.addinivalue_line("markers", MARKER_HELP)
    collection = ExperimentCollection(config, known_backends=_engine_names)
    config.pluginmanager.register(collection, "llem-collection")
    only = only_point(config)
    if only is not None:
        config.pluginmanager.register(OnlyPoint(only), "llem-only-point")
    if config.option.llem_dry_run:
        from pytest_llem.plan.dry_run import DryRun

        config.pluginmanager.register(DryRun(config, collection), "llem-dry-run")


def _engine_names() -> Collection[str]:
    from pytest_llem.engines import ENGINES

    return ENGINES.names()
