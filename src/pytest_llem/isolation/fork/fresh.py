"""Makes a forked process what a fresh one would be."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_START = 47
"""Position of ``env_start`` behind the name in ``/proc/self/stat`` (``proc(5)``), from 0."""
FILES = Path("/proc/self/fd")


@dataclass(slots=True)
class Seeding:
    """Whether anybody seeded ``random`` before the fork.

    A forked process seeds it anew by itself (``os.register_at_fork``), as a fresh one would,
    unless an imported file had chosen the seed: that choice holds in each fresh process too.
    """

    chosen: bool = False

    def watch(self) -> None:
        """Note calls of ``random.seed`` and ``random.setstate`` from now on."""
        for name in ("seed", "setstate"):
            setattr(random, name, self._noting(getattr(random, name)))

    def _noting(self, function: Any) -> Any:
        def noted(*arguments: Any, **named: Any) -> Any:
            self.chosen = self.chosen or bool((arguments and arguments[0] is not None) or named)
            return function(*arguments, **named)

        noted.original = function  # type: ignore[attr-defined]
        return noted

    def unwatch(self) -> None:
        for name in ("seed", "setstate"):
            function = getattr(random, name)
            setattr(random, name, getattr(function, "original", function))


SEEDING = Seeding()
"""Watched from when the plugin is loaded, in a fork server only."""


def seed_numpy() -> None:
    """Seed numpy's global generator from the system, unless an imported file had seeded it."""
    numbers = sys.modules.get("numpy.random")
    if numbers is None:
        return
    _, keys, position, *_ = numbers.get_state()
    fresh = numbers.RandomState().get_state()[2]
    if position == fresh and not _seeded_plainly(int(keys[0]), int(keys[1])):
        numbers.seed()


def _seeded_plainly(first: int, second: int) -> bool:
    """Whether these follow each other in Knuth's recurrence, by which a number seeds MT19937.

    Source: Matsumoto and Nishimura, mt19937ar.c (2002), ``init_genrand``.
    """
    return second == (1812433253 * (first ^ (first >> 30)) + 1) & 0xFFFFFFFF


def show_token(token: str) -> str:
    """Bear *token* where ``/proc`` shows this process's environment; the one it bore before.

    What the kernel shows is the memory in which a program's environment was at its start.
    A fork inherits it with its parent's token, so it is written over in place.

    Raises:
        IsolationError: there is no token of this length.
    """
    import ctypes

    start, end = _environment_area()
    own = b"\0" + ctypes.string_at(start, end - start)
    name = f"\0{TOKEN_VARIABLE}=".encode()
    at = own.find(name)
    before = own[at + len(name) :].partition(b"\0")[0]
    if at < 0 or len(before) != len(token):
        raise IsolationError("the environment in this process's memory has no place for a token")
    ctypes.memmove(start + at + len(name) - 1, token.encode(), len(token))
    return before.decode()


def _environment_area() -> tuple[int, int]:
    _, _, facts = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(") ")
    numbers = facts.split()
    return int(numbers[ENVIRONMENT_START]), int(numbers[ENVIRONMENT_START + 1])


def take_environment(changes: Mapping[str, str | None]) -> None:
    """Set variables; ``None`` removes one."""
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def take_files(output: int, error: int) -> None:
    """Make these the standard files, also where a plugin has kept a copy of the server's."""
    for number, new in ((1, output), (2, error)):
        for copy in _same_as(number):
            os.dup2(new, copy, inheritable=copy == number)
    for file in {output, error}:
        os.close(file)
    sys.__stdout__.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]


def _same_as(number: int) -> list[int]:
    wanted, found = os.fstat(number), []
    for name in os.listdir(FILES):  # noqa: PTH208 - numbers are wanted
        with contextlib.suppress(OSError):
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(int(name))
    return found
