"""``llem config``: what experiments are told, by whom, and what they can be told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pytest_llem.config.layers.layer import Layers

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="As --llem-set; may be repeated."),
]
ProfileOption = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="System profile; else as detected.")
]


def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say who gave each value.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="The sections of all engines, with all options.")
    ] = False,
    overrides: Overrides = None,
    profile: ProfileOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print the value that every field has here, before a test or a study says otherwise."""
    from pytest_llem.config.effective import effective
    from pytest_llem.runs.standing import standing_here

    standing = standing_here(profile=profile)
    layers = _with(standing.layers, overrides or [])
    found = list(effective(layers, everything=everything))
    if as_json:
        shown = [
            {"field": one.path, "value": one.value, **_origin_json(one.origin)} for one in found
        ]
        typer.echo(json.dumps(shown, indent=2))
        return
    values = [f"{one.path} = {json.dumps(one.value)}" for one in found]
    width = min(max(map(len, values), default=0), 48) if origin else 0
    if origin:
        typer.echo(f"profile {standing.profile.name}: {standing.profile_origin}")
    for text, one in zip(values, found, strict=True):
        typer.echo(f"{text:{width}}  {one.origin}" if origin else text)


def schema() -> None:
    """Print the JSON Schema of llem.yaml."""
    from pytest_llem.config.schema import file_schema

    typer.echo(json.dumps(file_schema(), indent=2))


def template(
    engine: Annotated[
        list[str] | None, typer.Option(help="Engine whose options are listed; may be repeated.")
    ] = None,
    active: Annotated[
        bool, typer.Option("--active", help="Write the defaults as values, not as comments.")
    ] = False,
) -> None:
    """Print an llem.yaml with every field, its meaning and its default."""
    from pytest_llem.config.problems import unknown_value
    from pytest_llem.config.sections import MODELS, engine_called
    from pytest_llem.config.template import template as written

    engines = [engine_called(name) for name in engine or ()]
    for name in engines:
        if name not in MODELS:
            raise ConfigError(str(unknown_value("engine", name, MODELS, "engine")))
    typer.echo(written(engines, active=active), nl=False)


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="YAML, profiles, pyproject.toml; by default all that count here."),
    ] = None,
) -> None:
    """Validate files, and variables, without running anything."""
    from pytest_llem.plan import checking
    from pytest_llem.runs.standing import standing_here

    project, problems = Path.cwd(), list[str]()
    for file in files or checking.files_here(project, os.environ):
        found = checking.problems_in(file)
        problems += found
        if not found:
            typer.echo(f"{file}: good")
    if not files:
        problems += checking.problems_of_variables(os.environ)
        problems += [] if problems else checking.problems_together(standing_here)
    for problem in problems:
        typer.echo(f"llem: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def profiles() -> None:
    """List the system profiles, and which one counts here."""
    from pytest_llem.config.layers.project import user_directory
    from pytest_llem.config.profiles.finding import names, profile_called
    from pytest_llem.runs.standing import standing_here

    standing, user = standing_here(), user_directory(os.environ)
    typer.echo(f"here: {standing.profile.name}, {standing.profile_origin}")
    for name in names(user):
        profile = profile_called(name, standing.profile_origin, Path.cwd(), user)
        devices = ", ".join(profile.devices)
        typer.echo(f"{name:16} {profile.title}" + (f" ({devices})" if devices else ""))


def _with(layers: Layers, overrides: list[str]) -> Layers:
    from pytest_llem.config.layers.layer import layered
    from pytest_llem.plan.overrides import overrides_of

    return layered([*layers, *overrides_of([], None, overrides).given()])


def _origin_json(origin: Any) -> dict[str, Any]:
    place = origin.place
    return {
        "layer": origin.layer,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "by": origin.by or None,
    }
