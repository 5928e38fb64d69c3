"""One side of a comparison: what it sets, and where it runs."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.problems import nearest
from pytest_llem.errors import ConfigError
from pytest_llem.paths import expanded, is_file, is_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVIRONMENT = "env."
KEYS = ("python", "ref")
UNCHANGED = "as it is"
"""What a side is called that sets nothing."""
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
    def asked(cls, name: str, texts: Sequence[str], option: str = "") -> Side:
        """The side that *texts* describe: ``KEY=VALUE``, several with blanks between.

        *option* is what they were given to, where that is not the side's own.

        Raises:
            ConfigError: one of them is no such thing, or sets what another one sets.
        """
        option = option or f"--{name}"
        python, ref = sys.executable, None
        environment: dict[str, str] = {}
        fields: dict[str, str] = {}
        seen: set[str] = set()
        for key, value in (_pair(option, word) for text in texts for word in _words(option, text)):
            if key in seen:
                raise ConfigError(f"{option}: {key} is set twice. Drop one.")
            seen.add(key)
            if key == "python":
                python = _executable(option, value)
            elif key == "ref":
                ref = value
            elif key.startswith(ENVIRONMENT):
                environment[key.removeprefix(ENVIRONMENT)] = value
            else:
                fields[key] = f"{key}={value}"
        return cls(name, python, ref, environment, tuple(fields.values()))

    @property
    def is_this_interpreter(self) -> bool:
        """Whether pytest runs there under the interpreter that asks."""
        return self.python == sys.executable

    @property
    def described(self) -> str:
        """What it sets, in the words of the command line."""
        said = [] if self.is_this_interpreter else [f"python={self.python}"]
        said += [f"ref={self.ref}"] if self.ref else []
        said += [f"{ENVIRONMENT}{name}={value}" for name, value in self.environment.items()]
        return " ".join([*said, *self.assignments]) or UNCHANGED


def _words(option: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: {error}. Write {EXAMPLE}.") from None


def _pair(option: str, word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not (key and equals and value) or key == ENVIRONMENT:
        raise ConfigError(f"{option} {word!r}: write KEY=VALUE, such as {EXAMPLE}.")
    if key not in KEYS and key not in ExperimentConfig.model_fields and (near := _meant(key)):
        raise ConfigError(f"{option} {word!r}: there is no {key}. Did you mean {near!r}?")
    return key, value


def _meant(key: str) -> str | None:
    """What *key* stands for, if it looks like one of a side's own."""
    first, dot, _ = key.partition(".")
    if dot:
        known = {*ExperimentConfig.model_fields, ENVIRONMENT[:-1]}
        near = None if first in known else nearest(first, [ENVIRONMENT[:-1]])
        return near and f"{near}.{key.partition('.')[2]}"
    return nearest(key, KEYS)


def _executable(option: str, text: str) -> str:
    """An absolute path that is not resolved: an environment's interpreter is a link."""
    path = expanded(text)
    path = path if path.is_absolute() else Path.cwd() / path
    if is_folder(path):
        inside = next((one for one in (path / "bin/python", path / "python") if is_file(one)), None)
        hint = f" Name {inside}." if inside else " Name an interpreter in it."
        raise ConfigError(f"{option}: python={text} is a folder.{hint}")
    if not (is_file(path) and os.access(path, os.X_OK)):
        raise ConfigError(f"{option}: python={text} is no program. Name an interpreter.")
    return str(path)
