"""One side of a comparison: what it sets, and where it runs."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVIRONMENT = "env."
EXAMPLE = "'python=.venv-new/bin/python', 'ref=main', 'env.NAME=VALUE' or 'vllm.max_num_seqs=64'"


@dataclass(frozen=True, slots=True)
class Side:
    """What one side sets beside what both share."""

    name: str
    """``a`` or ``b``; a change is told as what *b* has over *a*."""
    python: str = sys.executable
    """The interpreter that pytest runs under."""
    ref: str | None = None
    """Git commit, branch or tag whose files are measured; ``None`` is the working tree."""
    environment: Mapping[str, str] = field(default_factory=dict)
    assignments: tuple[str, ...] = ()
    """``FIELD=VALUE`` as ``--llem-set`` takes them."""

    @classmethod
    def asked(cls, name: str, texts: Sequence[str]) -> Side:
        """The side that *texts* describe: ``KEY=VALUE``, several with blanks between.

        Raises:
            ConfigError: one of them is no such thing, or sets what another one sets.
        """
        python, ref = sys.executable, None
        environment: dict[str, str] = {}
        fields: dict[str, str] = {}
        seen: set[str] = set()
        for key, value in (_pair(name, word) for text in texts for word in _words(name, text)):
            if key in seen:
                raise ConfigError(f"--{name}: {key} is set twice. Drop one.")
            seen.add(key)
            if key == "python":
                python = _executable(name, value)
            elif key == "ref":
                ref = value
            elif key.startswith(ENVIRONMENT):
                environment[key.removeprefix(ENVIRONMENT)] = value
            else:
                fields[key] = f"{key}={value}"
        return cls(name, python, ref, environment, tuple(fields.values()))

    @property
    def described(self) -> str:
        """What it sets, in the words of the command line."""
        said = [] if self.python == sys.executable else [f"python={self.python}"]
        said += [f"ref={self.ref}"] if self.ref else []
        said += [f"{ENVIRONMENT}{name}={value}" for name, value in self.environment.items()]
        return " ".join([*said, *self.assignments]) or "as it is"


def _words(name: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--{name} {text!r}: {error}. Write {EXAMPLE}.") from None


def _pair(name: str, word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not (key and equals and value) or key == ENVIRONMENT:
        raise ConfigError(f"--{name} {word!r}: write KEY=VALUE, such as {EXAMPLE}.")
    return key, value


def _executable(name: str, text: str) -> str:
    """An absolute path that is not resolved: an environment's interpreter is a link."""
    path = Path(text).expanduser()
    path = path if path.is_absolute() else Path.cwd() / path
    if not (path.is_file() and os.access(path, os.X_OK)):
        raise ConfigError(f"--{name}: python={text} is no program. Name an interpreter.")
    return str(path)
