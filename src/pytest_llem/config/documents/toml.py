"""TOML with the lines of its keys, which the standard library does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from pytest_llem.config.documents.document import Document, Place, text_of
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llem.config.documents.document import Keys

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = rf"[ \t]*\[[ \t]*({_DOTTED})[ \t]*\][ \t]*(?:\#.*)?$"
_KEY = rf"([ \t]*)({_DOTTED})[ \t]*="
_AT = r" ?\(at (?:line (\d+), column (\d+)|end of document)\)$"


def read_toml(path: Path) -> Document:
    """The document in the file at *path*.

    Raises:
        FileNotFoundError: there is no such file.
        ConfigError: it cannot be read or understood, with line and column.
    """
    return parse_toml(text_of(path), str(path))


def parse_toml(text: str, file: str) -> Document:
    """The document in *text*, which *file* holds.

    Raises:
        ConfigError: it cannot be understood, with line and column.
    """
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_said(error, file)) from None
    except (RecursionError, ValueError):  # brackets without end, digits without end
        raise ConfigError(f"{file}: this cannot be read as TOML.") from None
    return Document(file, value, _places(text, file, value))


def _said(error: tomllib.TOMLDecodeError, file: str) -> str:
    text = str(error)
    found = re.search(_AT, text)
    at = (int(found[1]), int(found[2])) if found and found[1] else (None, None)
    return f"{Place(file, *at)}: this is no TOML: {re.sub(_AT, '', text)}."


def _places(text: str, file: str, value: dict[str, Any]) -> dict[Keys, Place]:
    """Where keys stand, by a look at each line; what stands in a long text is not taken for one.

    Keys of inline tables and of arrays of tables are not found: what holds them is.
    """
    places: dict[Keys, Place] = {}
    for keys, line, column in _written(text):
        if keys not in places and _has(value, keys):
            for length in range(1, len(keys) + 1):
                places.setdefault(keys[:length], Place(file, line, column))
    return places


def _written(text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(_HEADER, line):
            table = _keys(header[1])
            yield table, number, header.start(1) + 1
        elif key := re.match(_KEY, line):
            yield (*table, *_keys(key[2])), number, key.start(2) + 1


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(_unquoted(part) for part in re.findall(_PART, dotted))


def _unquoted(part: str) -> str:
    if part[:1] not in {'"', "'"}:
        return part
    try:
        return str(tomllib.loads(f"k = {part}")["k"])
    except tomllib.TOMLDecodeError:  # only what looked like a key can be none
        return part


def _has(value: Any, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True
