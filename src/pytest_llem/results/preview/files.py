"""Previews on disk: ``previews/<experiment>.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from pytest_llem.errors import StoreError
from pytest_llem.results.files import explained
from pytest_llem.results.preview.document import Preview

if TYPE_CHECKING:
    from pathlib import Path

PREVIEWS = "previews"


def keep_preview(directory: Path, name: str, preview: Preview) -> None:
    """Keep *preview* of the result called *name* in the run at *directory*.

    Complete or not there, like all files of a run, but not forced to disk: what a power cut takes
    can be derived again.

    Raises:
        StoreError: it cannot be written.
    """
    path = _path(directory, name)
    temporary = path.with_name(f".{path.name}.tmp")
    with explained("write", path):
        path.parent.mkdir(exist_ok=True)
        temporary.write_text(preview.model_dump_json(), encoding="utf-8")
        temporary.replace(path)


def kept_preview(directory: Path, name: str) -> Preview | None:
    """The preview of the result called *name*; ``None`` if there is none that can be read."""
    try:
        with explained("read", _path(directory, name)):
            return Preview.model_validate_json(_path(directory, name).read_bytes())
    except (StoreError, ValidationError):
        return None


def kept_text(directory: Path, name: str) -> str | None:
    """The same preview as it is written: JSON in ASCII or UTF-8, and surely a preview."""
    try:
        with explained("read", _path(directory, name)):
            text = _path(directory, name).read_text(encoding="utf-8")
        Preview.model_validate_json(text)
    except (StoreError, ValidationError, UnicodeDecodeError):
        return None
    return text


def _path(directory: Path, name: str) -> Path:
    return directory / PREVIEWS / f"{name}.json"
