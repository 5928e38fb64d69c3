"""``llem config``: what experiments are told, by whom, and what they can be told."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Any

import typer

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
    from pytest_llem.runs.configuration import effective_config

    found = effective_config(overrides or [], profile=profile, everything=everything)
    if as_json:
        shown = [
            {"field": one.path, "value": one.value, **_origin_json(one.origin)}
            for one in found.fields
        ]
        typer.echo(json.dumps(shown, indent=2))
        return
    values = [f"{one.path} = {json.dumps(one.value)}" for one in found.fields]
    width = min(max(map(len, values), default=0), 48) if origin else 0
    if origin:
        standing = found.standing
        typer.echo(f"profile {standing.profile.name}: {standing.profile_origin}")
    for text, one in zip(values, found.fields, strict=True):
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
    from pytest_llem.runs.configuration import config_template

    typer.echo(config_template(engine or (), active=active), nl=False)


def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="YAML, profiles, pyproject.toml; by default all that count here."),
    ] = None,
) -> None:
    """Validate files, and variables, without running anything."""
    from pytest_llem.runs.configuration import check_config

    checked = check_config(files or ())
    for file in checked.good:
        typer.echo(f"{file}: good")
    for problem in checked.problems:
        typer.echo(f"llem: {problem}", err=True)
    if checked.problems:
        raise typer.Exit(1)
    if not checked.good:
        typer.echo("good: there is no file here that configures anything, and variables are good")


def profiles() -> None:
    """List the system profiles, and which one counts here."""
    from pytest_llem.runs.configuration import list_profiles
    from pytest_llem.runs.standing import standing_here

    standing = standing_here()
    typer.echo(f"here: {standing.profile.name}, {standing.profile_origin}")
    for profile in list_profiles():
        devices = ", ".join(profile.devices)
        typer.echo(f"{profile.name:16} {profile.title}" + (f" ({devices})" if devices else ""))


def _origin_json(origin: Any) -> dict[str, Any]:
    place = origin.place
    return {
        "layer": origin.layer,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "by": origin.by or None,
    }
