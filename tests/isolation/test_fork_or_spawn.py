"""Forking where that is safe, else spawning; what the wire and the process itself say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_llem.isolation import choice
from pytest_llem.isolation.choice import MOST_LOST, ForkOrSpawn, choose_launcher, described
from pytest_llem.isolation.fork.server import NotForkedError, ServerLostError
from pytest_llem.isolation.fork.wire import Wire, WireClosedError
from pytest_llem.isolation.launcher import Command, Launched, Preparation
from pytest_llem.isolation.surroundings import late, surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator

PREPARATION = Preparation("test_it.py", {}, "base", (), None)
COMMAND = Command(["-m", "pytest"], Path(), preparation=PREPARATION)
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@dataclass
class Fake:
    """A launcher that launches nothing, or raises what it is given."""

    how: str
    errors: list[Exception] = field(default_factory=list)
    dies: bool = False
    launched: int = 0
    closed: int = 0

    def launch(self, command: Command) -> Launched:
        self.launched += 1
        if self.errors:
            raise self.errors.pop(0)
        nobody = cast("Any", None)
        return Launched(nobody, nobody, self.how, lost=lambda: self.dies)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Tried:
    fork: Fake
    spawn: Fake = field(default_factory=lambda: Fake("spawn"))
    said: list[str] = field(default_factory=list)

    def launcher(self) -> ForkOrSpawn:
        return ForkOrSpawn(self.fork, self.spawn, self.said.append)


def test_it_forks_where_it_can() -> None:
    tried = Tried(Fake("fork-server"))
    launched = tried.launcher().launch(COMMAND)
    assert (launched.how, launched.why, tried.said) == ("fork-server", None, [])


def test_a_refusal_is_told_once_and_holds_for_the_rest() -> None:
    tried = Tried(Fake("fork-server", [NotForkedError("a thread runs")]))
    launcher = tried.launcher()
    launched = [launcher.launch(COMMAND) for _ in range(3)]
    assert [one.how for one in launched] == ["spawn"] * 3
    assert {one.why for one in launched} == {"a thread runs"}
    assert tried.said == ["experiments are spawned, not forked: a thread runs"]
    assert tried.fork.launched == 1


def test_a_debugger_has_a_process_spawned_for_it() -> None:
    tried = Tried(Fake("fork-server"))
    launcher = tried.launcher()
    launched = launcher.launch(Command(["-m", "pytest"], Path(), terminal=True))
    assert launched.how == "spawn"
    assert launcher.launch(COMMAND).how == "fork-server"


def test_a_lost_server_is_tried_again_but_not_for_ever() -> None:
    tried = Tried(Fake("fork-server", [ServerLostError("gone")] * (MOST_LOST - 1)))
    launcher = tried.launcher()
    assert launcher.launch(COMMAND).how == "fork-server"
    tried.fork.errors.append(ServerLostError("gone"))
    launched = launcher.launch(COMMAND)
    assert launched.how == "spawn"
    assert f"{MOST_LOST} times" in str(launched.why)


def test_experiments_lost_with_their_server_count_once_each() -> None:
    tried = Tried(Fake("fork-server", dies=True))
    launcher = tried.launcher()
    for _ in range(MOST_LOST):
        launched = launcher.launch(COMMAND)
        assert [launched.lost(), launched.lost()] == [True, True]
    assert launcher.launch(COMMAND).how == "spawn"


def test_what_is_known_beforehand_is_told_only_to_who_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, "why_not_forked", lambda: "it is Tuesday")
    said: list[str] = []
    choose_launcher("auto", said.append)
    assert said == []
    choose_launcher("fork-server", said.append)
    assert said == ["experiments are spawned, not forked: it is Tuesday"]
    assert described("auto", debugging=False).startswith("spawn")
    assert described("none", debugging=False) == "none"


@pytest.fixture
def wires() -> Iterator[tuple[Wire, Wire]]:
    here, there = map(Wire, socket.socketpair())
    yield here, there
    here.close()
    there.close()


def test_a_wire_carries_open_files(wires: tuple[Wire, Wire], tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        wires[0].send("run", (file.fileno(),), text="ü" * 10_000)
    message, files = wires[1].receive(5) or ({}, [])
    assert message == {"kind": "run", "text": "ü" * 10_000}
    os.write(files[0], b"through the wire")
    os.close(files[0])
    assert (tmp_path / "file").read_text() == "through the wire"
    assert wires[1].receive(0.0) is None


def test_a_closed_wire_is_an_error(wires: tuple[Wire, Wire]) -> None:
    wires[0].close()
    with pytest.raises(WireClosedError):
        wires[1].receive(1)
    with pytest.raises(WireClosedError):
        wires[1].send("ready")


@linux
def test_a_thread_is_unsafe_and_named() -> None:
    script = """
import threading
from pytest_llem.isolation.fork.safety import unsafe_to_fork

assert unsafe_to_fork() is None
ended = threading.Event()
threading.Thread(target=ended.wait, name="night-watch").start()
reason = unsafe_to_fork()
ended.set()
assert "night-watch" in reason, reason
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@linux
def test_a_fork_shows_another_token_than_its_parent() -> None:
    script = """
import os, pathlib
from pytest_llem.isolation.fork.fresh import show_token

def shown():
    text = pathlib.Path("/proc/self/environ").read_bytes()
    return [part for part in text.split(b"\\0") if part.startswith(b"LLEM_EXPERIMENT=")][0][16:]

before = show_token("b" * 32)
pid = os.fork()
if pid == 0:
    os._exit(0 if shown() == b"b" * 32 else 1)
show_token(before)
assert shown() == b"a" * 32
assert os.waitpid(pid, 0)[1] == 0
"""
    environment = {**os.environ, "LLEM_EXPERIMENT": "a" * 32}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


@linux
def test_surroundings_differ_where_a_process_would_notice(tmp_path: Path) -> None:
    base = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "0"}
    same = surroundings(tmp_path, base)
    assert surroundings(tmp_path, {**base, "CUDA_VISIBLE_DEVICES": "1"}) == same
    assert surroundings(tmp_path, {**base, "OMP_NUM_THREADS": "1"}) != same
    assert surroundings(tmp_path / "other", base) != same
    assert late(base)["CUDA_VISIBLE_DEVICES"] == "0"
    assert late({})["CUDA_VISIBLE_DEVICES"] is None
