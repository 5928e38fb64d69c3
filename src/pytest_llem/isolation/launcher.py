"""How a child process is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llem.isolation.channel import Channel
    from pytest_llem.isolation.process_tree import ProcessTree

CHANNEL_VARIABLE = "LLEM_CHANNEL_FD"
"""Environment variable that tells a child which descriptor its control channel is."""
SOCKET_VARIABLE = "LLEM_CHANNEL_SOCKET"
"""The same where no descriptor can be inherited: the path of a socket to connect to."""
HOST_VARIABLE = "LLEM_HOST_FD"
"""The same of a fork server, for the requests to it."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a fork server prepares before a child is forked from it."""

    file: str
    """Test file whose item the child will run."""
    workerinput: Mapping[str, Any]
    basetemp: str
    """Beginning of the path for what the server itself may write."""
    modules: Sequence[str]
    """Modules that every child imports."""
    experiment: Mapping[str, Any] | None
    """Configuration of an experiment that loads a model, as JSON values; else ``None``."""


@dataclass(frozen=True, slots=True)
class Command:
    """A child to start."""

    arguments: Sequence[str]
    """Arguments after the interpreter: ``-m pytest …`` or ``-m pytest_llem.isolation.child``."""
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables beyond those of this process."""
    output: Path | None = None
    """File that takes what the child prints; ``None`` leaves it this process's own."""
    terminal: bool = False
    """Leave the child the terminal and its process group, for a debugger."""
    directories: tuple[Path, ...] = ()
    """What it reads and writes beside *directory*, for a launcher that has to make it visible."""
    gpus: tuple[str, ...] = ()
    """UUIDs of the GPUs it may see, likewise."""
    preparation: Preparation | None = None
    """``None`` for a child that only a fresh process can be."""


class Process(Protocol):
    """The running child."""

    @property
    def tree(self) -> ProcessTree:
        """The child and all its descendants."""
        ...

    def wait(self, timeout_s: float | None) -> int | None:
        """Its exit status (negative: the signal that ended it), ``None`` on time-out."""
        ...

    def interrupt(self) -> None:
        """Ask it to stop, as Ctrl-C would."""
        ...

    def end(self) -> None:
        """Kill whatever is left of it and of its descendants; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Launched:
    """A started child: how to speak with it, and how to end it."""

    channel: Channel
    process: Process
    how: str = "spawn"
    """Name of the way in which it was started."""
    why: str | None = None
    """Why not in the way that was asked for; ``None`` if it was."""
    lost: Callable[[], bool] = lambda: False
    """Whether it died because what it was forked from died."""


class Launcher(Protocol):
    """Starts children."""

    def launch(self, command: Command) -> Launched:
        """Start *command*.

        Raises:
            IsolationError: it could not be started.
        """
        ...

    def close(self) -> None:
        """End what was kept running to start children from."""
        ...
