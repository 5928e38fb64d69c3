"""Running pytest for one side: started once, asked for one process after the other."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llem._version import __version__
from pytest_llem.errors import ConfigError, IsolationError
from pytest_llem.isolation.channel import Channel, ChannelClosedError
from pytest_llem.isolation.interpreter import interpreter_environment
from pytest_llem.results.load import load_named
from pytest_llem.results.store import RunStore
from pytest_llem.runs.ab import host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.isolation.channel import Message
    from pytest_llem.results.environment import Environment
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.runs.ab.checkout import Files
    from pytest_llem.runs.ab.side import Side

    Show = Callable[[Mapping[str, Any]], None]

LAST_LINES = 15
ENDS_WITHIN_S = 60.0
"""How long a pytest that has nothing more to do may take to close its books."""
STOPS_WITHIN_S = 10.0
"""How long one that was interrupted may take to end its experiment."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process of an experiment came to."""

    result: ExperimentResult
    environment: Environment


@dataclass(frozen=True, slots=True)
class Collected:
    """What a side's pytest has found."""

    root: Path
    """What node ids are relative to."""
    experiments: Mapping[str, Sequence[str]]
    """Gates by node id, in the order of collection, as ``METRIC:TOLERANCE``."""
    strict: bool
    """Whether the side's configuration asks for ``--llem-strict``."""
    match: Mapping[str, Any]
    """What it says of differences: ``[tool.llem.baselines.match]``."""
    single: bool
    """Whether experiments run in that pytest itself, so that each needs a new one."""


class Place:
    """Where one side's experiments are collected and run."""

    def __init__(self, side: Side, files: Files, runs: Path, options: Sequence[str]) -> None:
        """A place for *side*; nothing is started yet.

        Args:
            side: what it sets.
            files: where pytest starts: among the files of its commit, if it has one.
            runs: folder for the runs and for what pytest prints.
            options: those of pytest that both sides share.
        """
        self.side = side
        self._files, self._runs, self._options = files, runs, list(options)
        self._tests: Sequence[str] = ()
        self._collected: Collected | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._starts = 0
        runs.mkdir(parents=True, exist_ok=True)

    def start(self, tests: Sequence[str]) -> None:
        """Start pytest and have it collect *tests*, as its command line names them.

        Raises:
            ConfigError: it cannot be started.
        """
        self._tests = [self._here(test) for test in tests]
        self._start()

    def collected(self) -> Collected:
        """What it has found, once it has.

        Raises:
            ConfigError: pytest could not collect, with what it said.
        """
        try:
            message = self._receive("collected", None)
        except ChannelClosedError:
            self._refuse()
        fields = message.fields
        version = fields.pop("version")
        if version != __version__:
            self._ended()
            raise ConfigError(
                f"side {self.side.name} ({self.side.described}) has pytest-llem {version}, this is "
                f"{__version__}. Install the same version there."
            )
        self._collected = Collected(**{**fields, "root": Path(fields["root"])})
        return self._collected

    def measure(self, node_id: str, number: int, show: Show | None = None) -> Measured:
        """Run one experiment once more, its *number*-th time from 0, in a fresh process.

        *show* is told how it gets on.

        Raises:
            IsolationError: there is no result of it, and why.
            ConfigError: pytest had to be started anew, and could not be.
        """
        if self._process is None:
            self._start()
            self.collected()
        assert self._channel is not None  # noqa: S101 - it was started
        assert self._collected is not None  # noqa: S101 - and has collected
        try:
            asked = {"node_id": node_id, "number": number, "watched": show is not None}
            self._channel.send("measure", **asked)
            message = self._receive("measured nothing", show)
        except ChannelClosedError:
            status, said = self._ended()
            raise IsolationError(
                f"side {self.side.name}: its pytest ended with {status}, see {self._log}\n{said}".rstrip()
            ) from None
        if self._collected.single:
            self.close()
        if message.kind == "nothing":
            raise IsolationError(f"side {self.side.name}: {message.fields['message']}")
        run = Path(message.fields["run"])
        result = load_named(run, message.fields["name"])
        return Measured(result, RunStore.open(run).environment())

    def close(self) -> None:
        """Let pytest close its books and end."""
        if self._process is not None and self._channel is not None:
            with suppress(ChannelClosedError):
                self._channel.send("end")
            self._ended()

    def stop(self) -> None:
        """Interrupt what runs, and end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._ended(STOPS_WITHIN_S)

    def _start(self) -> None:
        self._starts += 1
        ours, theirs = socket.socketpair()
        with ours, theirs, self._log.open("wb") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - what the user asked for
                    self._command(),
                    cwd=self._files.directory,
                    env=self._environment(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                raise ConfigError(
                    f"side {self.side.name}: {self.side.python} cannot be started: "
                    f"{error.strerror}. Is it an interpreter of this machine?"
                ) from error
            self._channel = Channel(socket.socket(fileno=ours.detach()))

    def _command(self) -> list[str]:
        keep = [f"--llem-dir={self._runs}", f"--llem-baselines={self._runs / 'baselines'}"]
        keep.append("--llem-anchors=off")  # the sides share a session, which tells all
        fields = [f"--llem-set={assignment}" for assignment in self.side.assignments]
        return [self.side.python, "-m", "pytest", *self._tests, *self._options, *fields, *keep]

    def _environment(self, descriptor: int) -> dict[str, str]:
        before = os.environ.get(host.PLUGINS, "")
        return {
            **os.environ,
            **self._interpreter(),
            **self._path(),
            **self.side.environment,
            host.VARIABLE: str(descriptor),
            host.OWN_PLUGINS: before,
            host.PLUGINS: ",".join(filter(None, [before, host.__name__])),
        }

    def _interpreter(self) -> dict[str, str]:
        if self.side.is_this_interpreter:
            return {}
        return interpreter_environment(self.side.python, os.environ)

    def _path(self) -> dict[str, str]:
        """Files of a commit are found before those of the working tree that were installed."""
        if self.side.ref is None:
            return {}
        places = dict.fromkeys([self._files.directory, self._files.top])
        own = [str(path) for place in places for path in (place / "src", place) if path.is_dir()]
        before = os.environ.get("PYTHONPATH")
        return {"PYTHONPATH": os.pathsep.join([*own, *([before] if before else [])])}

    def _here(self, test: str) -> str:
        """*test* among the files of this side, where it names one of the working tree by a full path."""
        path, separator, name = test.partition("::")
        if self.side.ref is None or not Path(path).is_absolute():
            return test
        return os.path.relpath(path) + separator + name

    @property
    def _log(self) -> Path:
        number = "" if self._starts < 2 else f"-{self._starts}"  # noqa: PLR2004 - the first has none
        return self._runs / f"pytest{number}.log"

    def _receive(self, kinds: str, show: Show | None) -> Message:
        assert self._channel is not None  # noqa: S101 - asked of what was started
        while True:
            message = self._channel.receive(None)
            if message is None:
                continue
            if message.kind in kinds.split():
                return message
            if message.kind == "progress" and show is not None:
                show(message.fields)

    def _ended(self, within_s: float = ENDS_WITHIN_S) -> tuple[str, str]:
        """End pytest: how it did, and what it said last."""
        assert self._process is not None  # noqa: S101 - asked of what was started
        assert self._channel is not None  # noqa: S101 - as above
        process, self._process = self._process, None
        self._channel.close()
        try:
            status = process.wait(within_s)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        named = signal.Signals(-status).name if status < 0 else f"status {status}"
        return named, _end(self._log)

    def _refuse(self) -> NoReturn:
        status, said = self._ended()
        hint = ""
        if self.side.ref is not None:
            hint = f"\nA commit has only what git tracks: look at `git ls-tree -r {self.side.ref}`."
        if re.search(r"No module named '?pytest(_llem\S*)?'?\s*$", said):
            hint = (
                f"\nInstall there: {self.side.python} -m pip install 'pytest-llem=={__version__}'"
            )
        raise ConfigError(
            f"side {self.side.name} ({self.side.described}) cannot be collected; its pytest ended "
            f"with {status}:\n{said}{hint}"
        )


def _end(log: Path) -> str:
    """The last lines of *log*, or what pytest calls an error of usage."""
    lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-LAST_LINES:]
    errors = [number for number, line in enumerate(lines) if line.startswith("ERROR: ")]
    return "\n".join(f"    {line}" for line in lines[errors[-1] if errors else 0 :])
