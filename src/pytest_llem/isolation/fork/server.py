"""The fork server as seen from the pytest that starts it: a launcher of forked children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.channel import Channel
from pytest_llem.isolation.fork import main as script
from pytest_llem.isolation.fork.wire import Wire, WireClosedError
from pytest_llem.isolation.launcher import HOST_VARIABLE, Launched
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE, ProcessTree
from pytest_llem.isolation.spawn import REAP_S, THREADS, output_of
from pytest_llem.isolation.surroundings import late, surroundings
from pytest_llem.isolation.tokens import TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.isolation.launcher import Command, Preparation
    from pytest_llem.isolation.surroundings import Surroundings

START_S = 300.0
"""How long a server or host may take to import what it needs."""
FORK_S = 60.0
"""How long an answer to a request may take, which may import the classes of another model."""
MOST_HOSTS = 8
TAIL_CHARACTERS = 400


class NotForkedError(IsolationError):
    """A fork server says why it does not fork."""


class ServerLostError(IsolationError):
    """A fork server died."""


class ForkedProcess:
    """A child forked by a host; only the host learns how it ended."""

    def __init__(self, wire: Wire, pid: int, token: str) -> None:
        self._wire = wire
        self._status: int | None = None
        self._lost = False
        self.tree = ProcessTree(pid, token)

    def wait(self, timeout_s: float | None) -> int | None:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while self._status is None:
            left_s = None if until is None else max(0.0, until - time.monotonic())
            try:
                answer = self._wire.receive(left_s)
            except WireClosedError:
                self._lost, self._status = True, -int(signal.SIGKILL)  # dies with its host
                break
            if answer is None:
                return None
            said = answer[0]
            if said["kind"] == "ended" and said["pid"] == self.tree.root:
                self._status = said["status"]
        return self._status

    def lost(self) -> bool:
        """Whether its host died before telling how it ended."""
        return self._lost

    def interrupt(self) -> None:
        if self.wait(0.0) is None:
            with contextlib.suppress(OSError):
                os.kill(self.tree.root, signal.SIGINT)

    def end(self) -> None:
        self.tree.kill()
        self.wait(REAP_S)


@dataclass(slots=True)
class Server:
    """A running server, and the hosts it has forked, by test file."""

    popen: subprocess.Popen[bytes]
    token: str
    wire: Wire
    output: Path
    origin: tuple[Sequence[str], Surroundings]
    """What it was started with."""
    hosts: dict[str, Wire] = field(default_factory=dict)
    attentive: bool = False
    """Whether it and its hosts look at their wires, and so end by themselves."""

    def host(self, preparation: Preparation) -> Wire:
        """The host of the preparation's test file, forked if there is none yet.

        Raises:
            NotForkedError: the server refuses, or the host cannot import the file.
            ServerLostError: the server died.
        """
        if preparation.file in self.hosts:
            return self.hosts[preparation.file]
        here, there = map(Wire, socket.socketpair())
        fields = {
            "file": preparation.file,
            "workerinput": dict(preparation.workerinput),
            "basetemp": preparation.basetemp,
        }
        with contextlib.closing(there):
            self.ask(self.wire, "host", (there.fileno(),), preparation, **fields)
        self.expect(here, "ready", START_S)
        if len(self.hosts) >= MOST_HOSTS:
            self.hosts.pop(next(iter(self.hosts))).close()
        self.hosts[preparation.file] = here
        return here

    def ask(
        self,
        wire: Wire,
        kind: str,
        files: tuple[int, ...],
        preparation: Preparation,
        **fields: Any,
    ) -> int:
        """Ask for a fork; its process id.

        Raises:
            NotForkedError, ServerLostError: as above.
        """
        fields |= {
            "modules": list(preparation.modules),
            "experiment": preparation.experiment and dict(preparation.experiment),
        }
        try:
            wire.send(kind, files, **fields)
        except WireClosedError as error:
            raise self.lost(str(error)) from None
        return int(self.expect(wire, "forked", START_S if kind == "host" else FORK_S)["pid"])

    def expect(self, wire: Wire, kind: str, timeout_s: float) -> dict[str, Any]:
        """The answer of that kind; what was said of forks that ended before is passed over.

        Raises:
            NotForkedError, ServerLostError: as above.
        """
        said: dict[str, Any] = {"kind": "ended"}
        self.attentive = False
        while said["kind"] == "ended":
            try:
                answer = wire.receive(timeout_s)
            except WireClosedError:
                raise self.lost("it ended") from None
            if answer is None:
                raise NotForkedError(f"the fork server did not answer within {timeout_s:g} s")
            said = answer[0]
        self.attentive = True
        if said["kind"] == "refused":
            raise NotForkedError(str(said["reason"]))
        if said["kind"] != kind:
            raise NotForkedError(f"the fork server said {said['kind']!r}, not {kind!r}")
        return said

    def lost(self, message: str) -> IsolationError:
        """What it means that this server or a host of it is gone."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(0.2)
        if self.popen.returncode is not None and self.popen.returncode >= 0:
            tail = self._said()[-TAIL_CHARACTERS:].strip()
            return NotForkedError(
                f"the fork server exited with status {self.popen.returncode}"
                + (f": {' '.join(tail.split())}" if tail else "")
            )
        return ServerLostError(message)

    def _said(self) -> str:
        """What it printed, errors last."""
        files = (self.output, self.output.with_suffix(".err"))
        return "\n".join(file.read_text(errors="replace") for file in files)

    def end(self) -> None:
        """End it, its hosts and what they run; never raises."""
        for wire in (*self.hosts.values(), self.wire):
            wire.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(REAP_S if self.attentive else 0.0)
        if self.popen.returncode is None:
            ProcessTree(self.popen.pid, self.token).kill()
            self.popen.wait(REAP_S)


class ForkServerLauncher:
    """Starts children as forks of a warm process, one for each kind of surroundings.

    One server runs at a time. It is replaced where a child is to find another environment,
    directory, limit or mask than the server was started with.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._server: Server | None = None
        self._outputs = tempfile.TemporaryDirectory(prefix="llem-fork-server-")
        self._started = 0

    def launch(self, command: Command) -> Launched:
        """Fork a child for *command*, whose preparation says what of.

        Raises:
            NotForkedError: it is not safe, or not possible, and why.
            ServerLostError: the server died; the next call starts another.
        """
        if command.preparation is None:
            raise NotForkedError("the fork server runs tests only")
        environment = {**THREADS, **os.environ, **command.environment}
        try:
            server = self._serving(command, environment)
            return self._forked(server, command, environment)
        except ServerLostError:
            self.close()
            raise

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def _serving(self, command: Command, environment: dict[str, str]) -> Server:
        origin = (tuple(command.arguments), surroundings(command.directory, environment))
        if self._server is not None and self._server.origin != origin:
            self.close()
        if self._server is None:
            self._server = self._start(command, environment, origin)
            self._server.expect(self._server.wire, "ready", START_S)
        return self._server

    def _start(
        self,
        command: Command,
        environment: dict[str, str],
        origin: tuple[Sequence[str], Surroundings],
    ) -> Server:
        here, there = _pair()
        token = TOKENS.new()
        self._started += 1
        output = Path(self._outputs.name) / f"{self._started}.out"
        own = {HOST_VARIABLE: str(there.fileno()), TOKEN_VARIABLE: token}
        try:
            with there, output.open("wb") as out, output.with_suffix(".err").open("wb") as error:
                popen = subprocess.Popen(  # noqa: S603 - the command is ours
                    [self._python, *_as_script(command.arguments)],
                    cwd=command.directory,
                    env={**environment, **own},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=error,
                    pass_fds=[there.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            here.close()
            raise NotForkedError(f"the fork server could not be started: {error}") from error
        return Server(popen, token, Wire(here), output, origin)

    def _forked(self, server: Server, command: Command, environment: dict[str, str]) -> Launched:
        assert command.preparation is not None  # noqa: S101 - checked by the caller
        wire = server.host(command.preparation)
        here, there = _pair()
        token = TOKENS.new()
        with there, contextlib.ExitStack() as stack:
            output, error = 1, 2
            if command.output is not None:
                output = error = stack.enter_context(output_of(command.output)).fileno()
            files = (there.fileno(), output, error)
            fields = {"token": token, "environment": late(environment)}
            pid = server.ask(wire, "run", files, command.preparation, **fields)
        process = ForkedProcess(wire, pid, token)
        return Launched(Channel(here, queues=True), process, "fork-server", lost=process.lost)


def _pair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as error:
        raise NotForkedError(f"no socket could be made: {error}") from error


def _as_script(arguments: Sequence[str]) -> list[str]:
    """``-P -m pytest …`` as arguments for the server's script."""
    at = list(arguments).index("-m")
    return [*arguments[:at], script.__file__, *arguments[at + 2 :]]
