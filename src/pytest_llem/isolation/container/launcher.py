"""The container launcher: a fresh container for every experiment."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.channel import Channel
from pytest_llem.isolation.container.arguments import (
    Mount,
    Needs,
    model_caches,
    passed_on,
    run_arguments,
)
from pytest_llem.isolation.container.init import TERMINAL_VARIABLE
from pytest_llem.isolation.container.owner import own_name
from pytest_llem.isolation.container.process import ContainerProcess, readable
from pytest_llem.isolation.container.runtime import LABEL, OWNER_LABEL
from pytest_llem.isolation.interpreter import Whose, questions, understood
from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, SOCKET_VARIABLE, Launched
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE, ProcessTree
from pytest_llem.isolation.spawn import THREADS, opened_output
from pytest_llem.isolation.tokens import TOKENS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.isolation.container.arguments import Box
    from pytest_llem.isolation.container.runtime import Runtime
    from pytest_llem.isolation.interpreter import Interpreter
    from pytest_llem.isolation.launcher import Command

INIT = ["-m", "pytest_llem.isolation.container.init"]
INSIDE = "/run/pytest-llem"
START_S = 600.0
"""The first container of a large image may take minutes: its files get the user's ids."""
LOOK_AGAIN_S = 0.2
SAID = 2000
NOT_STARTED = 125
"""Runtimes exit with this, or with a little more, if they could not start a container."""
GPUS = {
    "podman": "If this is about GPUs: NVIDIA's container toolkit makes them known to Podman by "
    "`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",
    "docker": "If this is about GPUs: Docker needs NVIDIA's container toolkit to pass them on",
}


class ContainerLauncher:
    """Starts each child in a container of its own."""

    def __init__(self, runtime: Runtime, box: Box, project: Path, why: str | None = None) -> None:
        """*why* says why children are contained, if something else was asked for."""
        self._runtime = runtime
        self._box = box
        self._project = project
        self._why = why

    def ask(self, engine: str) -> Interpreter:
        """What the interpreter in the image has.

        Raises:
            IsolationError: it cannot run our children; the message says what to install.
        """
        box = self._box
        whose = Whose(engine, f"image {box.image.name}", f"RUN {box.python} -m pip install")
        needs = Needs(self._project, (Mount(self._project),))
        token = TOKENS.new()
        arguments = labelled(run_arguments(self._runtime, box, needs), token)
        try:
            done = self._runtime.run(*arguments, *questions(engine), timeout_s=START_S)
        except BaseException:
            self._runtime.remove([name_of(token)])
            raise
        if done.returncode:
            raise IsolationError(
                f"{engine}: {box.python} cannot be run in image {box.image.name}: "
                f"{done.stderr.strip()[-SAID:] or f'status {done.returncode}'}"
            )
        return understood(done.stdout, whose)

    def launch(self, command: Command) -> Launched:
        token = TOKENS.new()
        folder = Path(tempfile.mkdtemp(prefix="llem-"))
        listening = socket.socket(socket.AF_UNIX)
        popen: subprocess.Popen[bytes] | None = None
        name = name_of(token)
        try:
            listening.bind(str(folder / "s"))
            listening.listen(2)
            popen = self._start(command, token, folder)
            leash = self._accept(listening, popen, command)
            tree = ProcessTree(_peer(leash), token)
            channel = Channel(self._accept(listening, popen, command), queues=True)
        except BaseException:
            if popen is not None:
                self._runtime.remove([name])
                popen.kill()
                popen.wait()
            raise
        finally:  # who is connected needs no name any more
            listening.close()
            shutil.rmtree(folder, ignore_errors=True)
        process = ContainerProcess(popen, leash, tree, lambda: self._runtime.remove([name]))
        return Launched(channel, process, "container", self._why)

    def close(self) -> None:
        """Nothing is kept running."""

    def _start(self, command: Command, token: str, folder: Path) -> subprocess.Popen[bytes]:
        network = self._box.network
        mounts, caches = model_caches(os.environ, network=network)
        inherited = {**THREADS, **os.environ, **command.environment}
        variables = {**passed_on(inherited, network=network), **caches}
        # The token is for those inside, not for the runtime: whoever bears it is killed in the end.
        for private in (TOKEN_VARIABLE, CHANNEL_VARIABLE, SOCKET_VARIABLE):
            variables.pop(private, None)
        mounts += [Mount(folder, INSIDE), Mount(self._project), Mount(command.directory)]
        mounts += [Mount(path) for path in command.directories]
        needs = Needs(command.directory, tuple(mounts), command.gpus, tuple(variables))
        arguments = run_arguments(self._runtime, self._box, needs)
        own = ["--env", f"{TOKEN_VARIABLE}={token}", "--env", f"{SOCKET_VARIABLE}={INSIDE}/s"]
        if command.terminal:
            own += ["--interactive", "--tty", "--env", f"{TERMINAL_VARIABLE}=1"]
        else:
            own.append("--sig-proxy=false")
        run, *options = labelled(arguments, token)
        line = [*self._runtime.command, run, *own, *options, *INIT]
        return self._popen([*line, *command.arguments], command, variables)

    @staticmethod
    def _popen(
        line: list[str], command: Command, variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with opened_output(command) as output:
            return subprocess.Popen(  # noqa: S603 - the command is ours
                line,
                env={**os.environ, **variables},
                stdin=None if command.terminal else subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
                start_new_session=not command.terminal,
            )

    def _accept(
        self, listening: socket.socket, popen: subprocess.Popen[bytes], command: Command
    ) -> socket.socket:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if readable(listening, LOOK_AGAIN_S):
                return listening.accept()[0]
            if popen.poll() is not None:
                raise IsolationError(self._why_not(popen.returncode, command))
        raise IsolationError(
            f"the container of {self._box.image.name} did not start within {START_S:g} s."
        )

    def _why_not(self, status: int, command: Command) -> str:
        said = "" if command.output is None else command.output.read_text(errors="replace")
        helps = f". {GPUS[self._runtime.kind]}" if command.gpus and status >= NOT_STARTED else ""
        return (
            f"the container of {self._box.image.name} could not be started by {self._runtime.name} "
            f"(status {status}): {said.strip()[-SAID:] or 'it said nothing'}{helps}"
        )


def name_of(token: str) -> str:
    """The name of the container with the experiment that bears *token*."""
    return f"pytest-llem-{token}"


def labelled(arguments: list[str], token: str) -> list[str]:
    """Arguments of ``run`` by whose labels the container is known to be ours, and whose."""
    run, *options = arguments
    labels = ["--label", f"{LABEL}={token}", "--label", f"{OWNER_LABEL}={own_name()}"]
    return [run, "--name", name_of(token), *labels, *options]


def _peer(leash: socket.socket) -> int:
    """The number of the container's first process here (``unix(7)``, ``SO_PEERCRED``).

    Raises:
        IsolationError: it cannot be seen from here.
    """
    credentials = leash.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    if pid == 0:
        raise IsolationError(
            "the container's processes cannot be seen from here, so neither their CPU time nor "
            "their end could be known. Run pytest where the runtime runs, in the host's "
            "process-id namespace (--pid=host if it is in a container itself)."
        )
    return pid
