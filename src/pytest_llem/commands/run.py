"""``llem run``: a study, tests, or a single experiment, for people who do not think in pytest."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pytest_llem.commands.streams import has_colour, is_unicode
from pytest_llem.errors import ConfigError
from pytest_llem.runs.limits import LOCK_TIMEOUT_S, TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.settings import RunSettings

LATEST = "latest"
"""Value of ``--resume`` that stands for the latest run that did not end."""


def run(  # noqa: PLR0913, PLR0917 - one parameter an option
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STUDY...",
            help="Study files (quant.llem.yaml), test files, folders or node ids; after --, "
            "options of pytest.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Built-in model, local folder or hub id.")
    ] = None,
    backend: Annotated[str | None, typer.Option(help="Engine; several multiply a study.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Any field of every experiment."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="System profile; else as detected.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be measured; load nothing.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help=f"Go on with a run that was killed; {LATEST!r} finds it."),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Fresh processes of each experiment.")
    ] = None,
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", metavar="METRIC:TOLERANCE", help="What must not get worse."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail also where nothing could be told.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update-baselines", help="Store this run as the baseline.")
    ] = False,
    meter: Annotated[str, typer.Option(help="What reads the energy.")] = "auto",
    require: Annotated[
        str | None, typer.Option(metavar="measured", help="Refuse estimates.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Limit in seconds; 0 is none.")] = TIMEOUT_S,
    lock_timeout: Annotated[
        float, typer.Option(min=0, help="How long to wait for devices in use; 0 does not.")
    ] = LOCK_TIMEOUT_S,
    allow_shared: Annotated[
        bool, typer.Option("--allow-shared", help="Measure also where others use the devices.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Where runs are kept; else in .llem."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Append every transition as JSON lines.")
    ] = None,
) -> None:
    """Measure a study or tests, or one experiment of a model, and keep results under .llem/."""
    if require not in {None, "measured"}:
        raise typer.BadParameter(f"{require!r} is not known; the only value is 'measured'.")
    common = {
        "--llem-dir": directory,
        "--llem-log": log,
        "--llem-model": model,
        "--llem-backend": backend,
        "--llem-profile": profile,
        "--llem-meter": meter,
        "--llem-require": require,
        "--llem-timeout": timeout,
        "--llem-lock-timeout": lock_timeout,
    }
    of_many = {
        "--llem-repeats": repeats,
        "--llem-strict": strict or None,
        "--llem-update-baselines": update or None,
        "--llem-gate": gates or None,
        "--llem-resume": resume,
    }
    if not targets:
        _refuse_of_many(of_many)
        config, settings = _single(model, backend, overrides or [], profile)
        _run_one(
            config,
            settings,
            profile=profile,
            dry_run=dry_run,
            meter=meter,
            require_measured=require == "measured",
            timeout_s=timeout or None,
            lock_timeout_s=lock_timeout,
            allow_shared=allow_shared,
            runs=(directory or Path(".llem")).absolute(),
            log=log,
        )
        return
    flags = {"--llem-dry-run": dry_run or None, "--llem-allow-shared": allow_shared or None}
    options = {"--llem-set": overrides, **common, **of_many, **flags}
    become_pytest(targets, options)


def become_pytest(targets: list[str], options: Mapping[str, object]) -> NoReturn:
    """Go on as pytest, in place of this process: signals and exit codes are its own.

    Raises:
        ConfigError: a target is not there.
    """
    own = [*itertools.takewhile(lambda target: not target.startswith("-"), targets)]
    if odd := [one for one in own if _is_no_text(one)]:
        raise ConfigError(f"{odd[0]!r}: its name is no UTF-8, and pytest needs that. Rename it.")
    missing = [one for one in own if not os.path.exists(one.partition("::")[0])]  # noqa: PTH110 - any text is looked at
    if missing:
        raise ConfigError(
            f"{missing[0]}: there is no such file or folder. Give a study file, such as "
            "quant.llem.yaml, or --model for a single experiment."
        )
    sys.stdout.flush()
    arguments = [sys.executable, "-m", "pytest", *targets, *arguments_of(options)]
    os.execv(sys.executable, arguments)  # noqa: S606 - no shell is meant


def _is_no_text(name: str) -> bool:
    """Whether the bytes of a name are no UTF-8, which Python writes as lone surrogates."""
    return any("\udc80" <= character <= "\udcff" for character in name)


def arguments_of(options: Mapping[str, object]) -> list[str]:
    """Options of pytest: one for each value of a list, none for ``None``, a bare one for true."""
    arguments = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            if one is True or (name == "--llem-resume" and one == LATEST):
                arguments.append(name)
            elif one is not None:
                arguments.append(f"{name}={one:g}" if isinstance(one, float) else f"{name}={one}")
    return arguments


def _refuse_of_many(options: Mapping[str, object]) -> None:
    given = [name.replace("--llem-", "--") for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(
            f"{given[0]} is about studies and tests. Name one: llem run quant.llem.yaml {given[0]} …"
        )


def _single(
    model: str | None, backend: str | None, overrides: list[str], profile: str | None
) -> tuple[ExperimentConfig, RunSettings]:
    from dataclasses import replace

    from pytest_llem.runs.configuration import experiment_config
    from pytest_llem.runs.library import default_settings
    from pytest_llem.runs.standing import standing_here

    if model is None:
        raise ConfigError(
            "nothing to run. Name a study (llem run quant.llem.yaml), tests (llem run bench/), "
            "or a model (llem run --model MODEL)."
        )
    standing = standing_here(profile=profile)
    config = experiment_config(model, backend, overrides, standing=standing)
    return config, replace(default_settings(), profile=standing.profile.name)


def _run_one(
    config: ExperimentConfig,
    settings: RunSettings,
    *,
    profile: str | None,
    dry_run: bool,
    **asked: object,
) -> None:
    from dataclasses import replace

    from pytest_llem.runs.library import preview_of, run_experiment

    settings = replace(settings, **asked)  # type: ignore[arg-type] # names and types are those of RunSettings
    if dry_run:
        width = shutil.get_terminal_size((80, 24)).columns
        for line in preview_of(config, width, profile=profile, settings=settings):
            typer.echo(line)
        return
    result = run_experiment(config, settings=settings)
    _show(result, settings.runs)
    if result.outcome != "passed":
        raise typer.Exit(1)


def _below_here(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _show(result: ExperimentResult, runs: Path) -> None:
    from pytest_llem.reports.terminal import SummaryRow, summary_lines

    size = shutil.get_terminal_size((80, 24))
    lines = summary_lines(
        [SummaryRow(result)],
        width=size.columns,
        colour=has_colour(sys.stdout),
        unicode=is_unicode(sys.stdout),
        verbosity=0,
    )
    for line in (*lines, f"results: {_below_here(runs / 'runs' / str(result.run_id))}"):
        typer.echo(line)
