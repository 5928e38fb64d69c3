"""Bringing a baseline file into today's format, where it lies."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pytest_llem.baselines.places import relative_path
from pytest_llem.baselines.reading import parse_baselines
from pytest_llem.baselines.store import refuse_stranger, text_of
from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from pathlib import Path


def upgraded_text(text: str, path: Path) -> str:
    """The baseline file that *text* says, written in today's format.

    Raises:
        BaselineError: it is no baseline file of this version or of one before.
    """
    return text_of(parse_baselines(text, path), text)


def directory_of(text: str, path: Path) -> Path:
    """The directory of baselines that the file at *path* belongs to, by what *text* says it is.

    Raises:
        BaselineError: it lies where another one belongs.
    """
    content = parse_baselines(text, path)
    relative = relative_path(content.group, content.hardware)
    path = path.absolute()
    depth = len(relative.parts)
    if len(path.parts) <= depth:
        raise BaselineError(f"{path} belongs into a directory of baselines, as {relative}.")
    root = path.parents[depth - 1]
    refuse_stranger(content, PurePosixPath(*path.relative_to(root).parts), path)
    return root
