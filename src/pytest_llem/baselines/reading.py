"""Reading a baseline file, with words for everything that can be wrong with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_llem.baselines.file import SCHEMA_VERSION, BaselineFile
from pytest_llem.baselines.migrations import OLDEST, migrated
from pytest_llem.errors import BaselineError
from pytest_llem.paths import is_file, is_folder, is_there

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: |$)", re.MULTILINE)
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
RESTORE = (
    "Restore it from version control, or delete it and make it anew with --llem-update-baselines."
)


def read_baselines(path: Path) -> tuple[BaselineFile, str] | None:
    """The file at *path* and its text; ``None`` if there is none.

    Raises:
        BaselineError: it cannot be read, or is no baseline file of this version.
    """
    text = read_text(path)
    return None if text is None else (parse_baselines(text, path), text)


def read_text(path: Path) -> str | None:
    """The text of the file at *path*; ``None`` if there is none.

    Raises:
        BaselineError: it cannot be read.
    """
    try:
        if is_there(path) and not (is_file(path) or is_folder(path)):
            raise BaselineError(f"cannot read the baseline {path}: it is a device or a pipe.")
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BaselineError(
            f"cannot read the baseline {path}: {error.strerror or error}. "
            "Make it readable, or choose another directory with --llem-baselines."
        ) from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"the baseline {path} is not UTF-8 text. {RESTORE}") from error


def parse_baselines(text: str, path: Path) -> BaselineFile:
    """The baseline file that *text* says, in today's format; *path* is named in errors.

    Raises:
        BaselineError: it is no baseline file of this version.
    """
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise BaselineError(
            f"{path}:{line}: an unresolved merge conflict. Take one side whole "
            f"(git checkout --ours -- {path.name}), then run again with --llem-update-baselines."
        )
    document = _json(text, path)
    if not isinstance(document, dict):
        raise BaselineError(f"{path} is not a baseline: it holds no JSON object. {RESTORE}")
    version = _version(document, path)
    try:
        return BaselineFile.model_validate(migrated(document, version))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top"
        raise BaselineError(f"{path} is damaged at {where}: {first['msg']}. {RESTORE}") from error


def entry_texts(text: str) -> dict[str, str]:
    """The text of every entry of a sound baseline file, exactly as it stands there."""
    members = dict(_members(text, _after_space(text, 0)))
    start, _ = members["entries"]
    return {key: text[first:last] for key, (first, last) in _members(text, start)}


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        what = "is cut off" if not text[error.pos :].strip() else f"is not JSON ({error.msg})"
        raise BaselineError(f"{path}:{error.lineno}: the baseline {what}. {RESTORE}") from error
    except _RepeatedKeyError as error:
        line = _second_line_of(text, str(error))
        raise BaselineError(
            f"{path}:{line}: {str(error)!r} occurs twice in one object, as after a merge. "
            "Delete one of the two."
        ) from error
    except (ValueError, RecursionError) as error:  # absurd numbers, absurd nesting
        raise BaselineError(f"the baseline {path} is not readable ({error}). {RESTORE}") from error


class _RepeatedKeyError(ValueError):
    """A key that occurs twice; JSON would silently take the last."""


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise _RepeatedKeyError(key)
        content[key] = value
    return content


def _second_line_of(text: str, key: str) -> int:
    quoted = re.escape(json.dumps(key, ensure_ascii=False))
    found = [match.start() for match in re.finditer(rf"{quoted}\s*:", text)]
    return text.count("\n", 0, found[1] if len(found) > 1 else 0) + 1


def _version(document: dict[str, Any], path: Path) -> int:
    version = document.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BaselineError(
            f"{path} was written by a newer pytest-llem (format {version}; this one reads up to "
            f"{SCHEMA_VERSION}). Upgrade with: pip install --upgrade pytest-llem"
        )
    if not isinstance(version, int) or isinstance(version, bool) or version < OLDEST:
        raise BaselineError(
            f"{path} is not a baseline: schema_version is {json.dumps(version)}, not {OLDEST} "
            f"to {SCHEMA_VERSION}. {RESTORE}"
        )
    return version


def _members(text: str, start: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Keys of the object that begins at *start*, with the span of each value."""
    position = _after_space(text, start + 1)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        first = _after_space(text, _after_space(text, position) + 1)
        _, last = _DECODER.raw_decode(text, first)
        yield key, (first, last)
        position = _after_space(text, last)
        if text[position] == ",":
            position = _after_space(text, position + 1)


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
