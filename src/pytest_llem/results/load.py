"""Reading stored documents, with words for what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from pytest_llem.errors import StoreError
from pytest_llem.results.files import explained
from pytest_llem.results.root import RESULTS
from pytest_llem.results.schema import SCHEMA_VERSION, ExperimentResult, Stored

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

Document = TypeVar("Document", bound=Stored)

UPGRADE = "Upgrade with: pip install --upgrade pytest-llem"
_SET_ASIDE = "Restore it from a copy, or move it away and run the experiment again."
_LONGEST_VALUE = 40


def load_result(path: Path) -> ExperimentResult:
    """The result stored at *path*.

    Raises:
        StoreError: it cannot be read, was written by a newer version, or is no result.
    """
    return load_document(path, ExperimentResult, "result of an experiment", SCHEMA_VERSION)


def load_named(run: Path, name: str) -> ExperimentResult:
    """The result that the run in the directory *run* stores under *name*.

    Raises:
        StoreError: as for :func:`load_result`.
    """
    return load_result(run / RESULTS / f"{name}.json")


def load_document(path: Path, model: type[Document], kind: str, version: int) -> Document:
    """The document stored at *path*, where *version* is the newest that *model* can hold.

    Raises:
        StoreError: it cannot be read, was written by a newer version, or is no *kind*.
    """
    content = _json_object(path, kind)
    if not isinstance(content.get("schema_version"), int):
        raise StoreError(f"{path} is not the {kind}: it has no schema_version. {_SET_ASIDE}")
    refuse_newer(content["schema_version"], version, path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise StoreError(
            f"{path} is not the {kind}: {_in_words(error.errors()[0])}. {_SET_ASIDE}"
        ) from error


def refuse_newer(found: object, newest: int, path: Path) -> None:
    """Refuse a file of a later format than this version knows.

    Raises:
        StoreError: *found* is above *newest*.
    """
    if isinstance(found, int) and found > newest:
        raise StoreError(
            f"{path} was written by a newer pytest-llem (format {found}; this one reads up to {newest}). "
            f"{UPGRADE}"
        )


def _json_object(path: Path, kind: str) -> dict[str, Any]:
    content = read_bytes(path)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{path} is corrupt: not readable as JSON ({error}). {_SET_ASIDE}"
        ) from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} is not the {kind}: it holds no JSON object. {_SET_ASIDE}")
    return value


def read_bytes(path: Path) -> bytes:
    """The content of *path*.

    Raises:
        StoreError: it cannot be read, or is no regular file.
    """
    with explained("read", path):
        if path.exists() and not path.is_file():
            raise StoreError(f"cannot read {path}: it is not a file. Move it away.")
        return path.read_bytes()


def _in_words(error: ErrorDetails) -> str:
    field = _dotted(error["loc"])
    match error["type"]:
        case "missing":
            return f"the field {field} is missing"
        case "extra_forbidden":
            return f"the field {field} is unknown"
    expected = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
    return f"the field {field} {expected}, but is {_shortened(error['input'])}"


def _dotted(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".") or "at the top"


def _shortened(value: object) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
