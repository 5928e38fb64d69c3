"""``llem migrate``: stored files into today's format."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from pytest_llem.commands.baseline import AsJson, put, put_json


def migrate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATHS...",
            help="Files, or directories with all in them; by default baselines and .llem.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Upgrade stored files of older formats in place, each with a backup beside it.

    What is damaged, in use or of a newer format is named and left alone; then it exits with 1.
    """
    from pytest_llem.runs.migrating import migrate as brought

    found = brought(paths or (), dry_run=dry_run)
    if as_json:
        put_json(
            [{**asdict(one), "path": str(one.path), "backup": _name(one.backup)} for one in found]
        )
    else:
        told = [str(one) for one in found if one.state != "current"]
        current = sum(one.state in {"current", "upgraded"} for one in found)
        put([*told, f"{current} of {len(found)} files are of today's format"])
    if any(one.state == "refused" for one in found):
        raise typer.Exit(1)


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)
