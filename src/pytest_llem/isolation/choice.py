"""Which launcher starts children, and what to do where the one that was asked for cannot."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pytest_llem.isolation.spawn import SpawnLauncher

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.isolation.launcher import Command, Launched, Launcher

Isolation = Literal["auto", "fork-server", "spawn", "container", "none"]
COVERAGE = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
INSTEAD = "experiments are spawned, not forked: {}"
DEBUGGER = "a debugger has the terminal"
MOST_LOST = 3
"""A fork server that was lost so often is not started again."""


def why_not_forked() -> str | None:
    """What is known beforehand to keep experiments from being forked; ``None`` for nothing."""
    if sys.platform != "linux":
        return f"forking is not safe on {sys.platform}"
    if any(name in os.environ for name in COVERAGE):
        return "coverage is measured in child processes"
    return None


class ForkOrSpawn:
    """Forks where that is safe, else spawns, from the first refusal on."""

    def __init__(self, fork: Launcher, spawn: Launcher, tell: Callable[[str], None]) -> None:
        """*tell* gets the reason, once."""
        self._fork = fork
        self._spawn = spawn
        self._tell = tell
        self._lost = 0
        self._why: str | None = None

    def launch(self, command: Command) -> Launched:
        """Start *command*.

        Raises:
            IsolationError: it could not be spawned either.
        """
        if command.terminal or command.preparation is None:
            debugged = command.terminal
            return self._spawned(command, DEBUGGER if debugged else "it is no test of pytest's")
        while self._why is None:
            launched = self._attempt(command)
            if launched is not None:
                return launched
        return self._spawned(command, self._why)

    def close(self) -> None:
        self._fork.close()
        self._spawn.close()

    def _attempt(self, command: Command) -> Launched | None:
        from pytest_llem.isolation.fork.server import NotForkedError, ServerLostError

        try:
            return self._noting_loss(self._fork.launch(command))
        except NotForkedError as error:
            self._fork.close()
            self._give_up(str(error))
        except ServerLostError:
            self._count_loss()
        return None

    def _noting_loss(self, launched: Launched) -> Launched:
        counted = False

        def lost() -> bool:
            nonlocal counted
            if launched.lost() and not counted:
                counted = True
                self._count_loss()
            return counted

        return replace(launched, lost=lost)

    def _count_loss(self) -> None:
        self._lost += 1
        self._fork.close()
        if self._lost >= MOST_LOST:
            self._give_up(f"the fork server died {self._lost} times")

    def _give_up(self, reason: str) -> None:
        self._why = reason
        self._tell(INSTEAD.format(reason))

    def _spawned(self, command: Command, why: str) -> Launched:
        return replace(self._spawn.launch(command), why=why)


def choose_launcher(
    isolation: Isolation, tell: Callable[[str], None], python: str = sys.executable
) -> Launcher:
    """The launcher for ``--llem-isolation`` under *python*, outside of containers.

    *tell* gets what should be known of it.
    """
    why = why_not_forked()
    if isolation in {"auto", "fork-server"} and why is None:
        from pytest_llem.isolation.fork.server import ForkServerLauncher

        return ForkOrSpawn(ForkServerLauncher(python), SpawnLauncher(python), tell)
    if isolation == "fork-server":
        tell(INSTEAD.format(why))
    return SpawnLauncher(python, why if isolation in {"auto", "fork-server"} else None)


def described(isolation: Isolation, *, debugging: bool) -> str:
    """What ``--llem-isolation`` comes to here, and why."""
    if isolation not in {"auto", "fork-server"}:
        return isolation
    why = "debugger" if debugging else "see results" if why_not_forked() else None
    return "fork-server" if why is None else f"spawn ({why})"
