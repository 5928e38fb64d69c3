"""From pytest's options to the settings of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_llem.baselines.looks import FIRST_LOOK
from pytest_llem.baselines.rulebook import Rulebook
from pytest_llem.config.cost import declared_tariff
from pytest_llem.config.gates import baseline_table_in, gates_in
from pytest_llem.devices.selection import MeterRequest
from pytest_llem.devices.several import choose_meters
from pytest_llem.errors import ConfigError, LlemError
from pytest_llem.isolation.memory import bytes_of
from pytest_llem.pyproject import read_llem_table
from pytest_llem.reports.arrangement import arrangement_of
from pytest_llem.results.event_log import EventLog
from pytest_llem.runs.ci.options import is_wanted
from pytest_llem.runs.exporting import Export
from pytest_llem.runs.html_option import report_path
from pytest_llem.runs.resuming.asked import manifest_of, resume_of
from pytest_llem.runs.settings import RunSettings
from pytest_llem.runs.standing import completed, standing_of
from pytest_llem.runs.workers.shared_run import RUN_ID

if TYPE_CHECKING:
    from pathlib import Path


def settings_of(config: pytest.Config) -> RunSettings:
    """The settings that the command line and the configuration file ask for.

    Raises:
        ConfigError: an option's value makes no sense.
    """
    timeout_s = config.getoption("llem_timeout")
    if not timeout_s >= 0:
        raise ConfigError(f"--llem-timeout={timeout_s:g}: seconds, or 0 for no limit.")
    lock_timeout_s = config.getoption("llem_lock_timeout")
    if not lock_timeout_s >= 0:
        raise ConfigError(f"--llem-lock-timeout={lock_timeout_s:g}: seconds, or 0 to not wait.")
    worker = getattr(config, "workerinput", {})
    asked = config.getoption("llem_repeats")
    repeats = 1 if asked is None else asked
    if repeats < 1:
        raise ConfigError(f"--llem-repeats={repeats}: a number of processes, 1 or more.")
    runs = runs_of(config)
    resume = resume_of(config, runs)
    if resume is not None:  # what was planned is done, and more if more is asked for
        repeats = max(repeats, manifest_of(resume).repeats)
    if repeats > 1 and config.getoption("llem_isolation") == "none":
        raise ConfigError(
            f"--llem-repeats={repeats} is about fresh processes, of which --llem-isolation=none "
            "starts none. Leave one of the two out."
        )
    max_repeats = config.getoption("llem_max_repeats")
    if max_repeats is not None:
        repeats = _first_look(config, repeats, max_repeats)
    limit = config.getoption("llem_memory_limit")
    project, profile = read_llem_table(config.rootpath), standing_of(config).profile
    baseline_table = baseline_table_in(project)
    return RunSettings(
        project=config.rootpath,
        runs=runs,
        baselines=_directory(config, "llem_baselines", "baselines"),
        profile=profile.name,
        meter=config.getoption("llem_meter"),
        require_measured=config.getoption("llem_require") == "measured",
        cpu_watts=config.getoption("llem_cpu_watts"),
        isolation=config.getoption("llem_isolation"),
        container_runtime=config.getoption("llem_container_runtime"),
        timeout_s=timeout_s or None,
        memory_limit_bytes=None if limit is None else bytes_of(limit),
        gates=completed(config.getoption("llem_gate"), profile),
        configured_gates=gates_in(project),
        baseline_table=baseline_table,
        anchors=config.getoption("llem_anchors") or baseline_table.anchors,
        baseline_from=config.getoption("llem_baseline_from"),
        invoked_from=config.invocation_params.dir,
        strict=config.getoption("llem_strict"),
        exports=tuple(
            Export.asked(text, config.invocation_params.dir) for text in _exports(config)
        ),
        github=is_wanted(config.getoption("llem_github"), os.environ),
        tariff=declared_tariff(config.rootpath, os.environ)
        if config.getoption("llem_cost")
        else None,
        html=report_path(_path(config, "llem_html")),
        update_baselines=config.getoption("llem_update_baselines")
        or config.getoption("llem_extend_baselines"),
        extend_baselines=config.getoption("llem_extend_baselines"),
        allow_shared=config.getoption("llem_allow_shared"),
        lock_timeout_s=lock_timeout_s,
        parallel=worker.get("workercount", 1) > 1,
        repeats=repeats,
        repeats_asked=asked is not None,
        max_repeats=max_repeats,
        shuffle_seed=config.getoption("llem_shuffle"),
        log=_path(config, "llem_log"),
        run_id=worker.get(RUN_ID),
        arrangement=arrangement_of(
            config.getoption("llem_columns"),
            config.getoption("llem_sort"),
            config.getoption("llem_group_by"),
        ),
        resume=resume,
    )


def _first_look(config: pytest.Config, repeats: int, most: int) -> int:
    """Processes that each experiment has before its gate is looked at.

    Raises:
        ConfigError: there is nothing to decide by more of them, or they cannot be had.
    """
    option = f"--llem-max-repeats={most}"
    if most < repeats:
        raise ConfigError(f"{option} is less than --llem-repeats={repeats}, which is the start.")
    if config.getoption("llem_isolation") == "none":
        raise ConfigError(
            f"{option} is about fresh processes, of which --llem-isolation=none starts none. "
            "Leave one of the two out."
        )
    writing = [name for name in ("update", "extend") if config.getoption(f"llem_{name}_baselines")]
    if writing:
        raise ConfigError(
            f"{option} needs a verdict, which --llem-{writing[0]}-baselines does not give. Say with "
            "--llem-repeats how many processes the baseline is to have."
        )
    return repeats if repeats > 1 else min(FIRST_LOOK, most)


def _exports(config: pytest.Config) -> list[str]:
    page = config.getoption("llem_markdown")
    return [*config.getoption("llem_export"), *([] if page is None else [f"markdown:{page}"])]


def _path(config: pytest.Config, option: str) -> Path | None:
    given = config.getoption(option)
    return config.invocation_params.dir / given if given else None


def runs_of(config: pytest.Config) -> Path:
    """Where runs are kept."""
    return _directory(config, "llem_dir", ".llem")


def _directory(config: pytest.Config, option: str, default: str) -> Path:
    return _path(config, option) or config.rootpath / default


def check_options(config: pytest.Config) -> None:
    """Refuse a run whose meter, gates or log cannot be had, before anything is loaded.

    Raises:
        pytest.UsageError: what is asked for cannot be had, and what to do.
    """
    try:
        settings = settings_of(config)
        EventLog(settings.log).close()
        Rulebook(settings.configured_gates, settings.gates)
        choose_meters(MeterRequest(settings.meter, settings.require_measured, settings.cpu_watts))
    except LlemError as error:
        raise pytest.UsageError(str(error)) from None


def resume_run(config: pytest.Config) -> None:
    """Get ready to go on with the run that is asked for.

    Raises:
        pytest.UsageError: there is no such run, or it is in use.
    """
    from pytest_llem.runs.resuming.session_part import resume_session

    resume_session(config, runs_of(config))
