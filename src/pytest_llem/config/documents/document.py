"""What a file says, and where in it."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BYTES = 4 * 2**20
"""Larger files are no configuration."""

Keys = tuple[str | int, ...]
"""The way to a value: keys of mappings and indices of lists."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was written."""

    file: str
    line: int | None = None
    """From 1; ``None`` if it is not known."""
    column: int | None = None
    """From 1; ``None`` if it is not known."""

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping of texts, numbers, booleans, lists and mappings, as a file has it."""

    file: str
    value: Mapping[str, Any]
    places: Mapping[Keys, Place] = field(default_factory=dict)
    """Of keys and of items of lists, as far as they are known."""

    def place(self, *keys: str | int) -> Place:
        """Where the value at *keys* stands, or what holds it if that is not known."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.places:
                return self.places[keys[:length]]
        return Place(self.file)

    def at(self, *keys: str) -> Document:
        """The document that begins at *keys*; empty if there is no mapping.

        Raises:
            ConfigError: there is something else.
        """
        value: Any = self.value
        for count, key in enumerate(keys):
            value = value.get(key, {})
            if not isinstance(value, dict):
                here = self.place(*keys[: count + 1])
                raise ConfigError(f"{here}: {'.'.join(keys[: count + 1])} must be a mapping.")
        length = len(keys)
        inner = {path[length:]: p for path, p in self.places.items() if path[:length] == keys}
        return Document(self.file, value, inner)


def text_of(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it cannot be read, or is too large to be meant.
    """
    try:
        facts = path.stat()
        if not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
            raise ConfigError(f"{path} cannot be read: it is a device or a pipe, and no file.")
        if facts.st_size > MOST_BYTES:
            raise ConfigError(
                f"{path} has more than {MOST_BYTES >> 20} MiB: it is no configuration."
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8 (byte {error.start}).") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}.") from None
