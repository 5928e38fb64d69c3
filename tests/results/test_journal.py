"""The journal of a run: what it tells after kills, tears and damage, and who has the run."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.errors import StoreError
from pytest_llem.results import journal as journal_module
from pytest_llem.results.journal import Journal, in_use, is_in_use
from pytest_llem.results.transitions import Transition, read_journal

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.results.store import RunStore
    from pytest_llem.results.transitions import Key

KEY: Key = ("chat-1", "bench/test_chat.py::test_chat[a]", 0)
OTHER: Key = ("chat-2", None, 1)
WRITER = """
import sys, time
from pathlib import Path
from pytest_llem.results.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.join()
number = 0
while True:
    key = ("chat-1", None, number)
    journal.running(key)
    journal.finished(key, "passed", f"chat@{number}")
    print(number, flush=True)
    number += 1
"""


def writer(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def states(path: Path) -> list[str]:
    return [one.state for one in read_journal(path).transitions]


def test_each_transition_is_a_line_with_its_time_process_and_attempt(store: RunStore) -> None:
    instants = iter(range(100, 200))
    journal = Journal(store.path / "journal.jsonl", clock=lambda: next(instants))
    journal.join()
    journal.running(KEY)
    journal.pending(KEY)
    journal.running(KEY)
    journal.finished(KEY, "passed", "chat-1")
    journal.leave()
    lines = read_journal(journal.path).transitions
    assert [one.state for one in lines] == [
        "joined",
        "running",
        "pending",
        "running",
        "finished",
        "left",
    ]
    assert [one.attempt for one in lines] == [None, 1, 1, 2, 2, None]
    assert [one.monotonic_ns for one in lines] == list(range(100, 106))
    assert {one.process for one in lines} == {os.getpid()}
    assert (lines[4].outcome, lines[4].result) == ("passed", "chat-1")
    assert read_journal(journal.path).latest[KEY] == lines[4]


def test_attempts_are_counted_over_sessions(store: RunStore) -> None:
    for _ in range(3):
        journal = store.journal()
        journal.join()
        journal.running(KEY)
        journal.running(OTHER)
        journal.let_go()
    latest = read_journal(store.path / "journal.jsonl").latest
    assert (latest[KEY].attempt, latest[OTHER].attempt) == (3, 3)


def test_a_run_without_a_journal_has_no_transitions(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "journal.jsonl").transitions == ()
    assert not is_in_use(tmp_path / "journal.jsonl")


@given(cut=st.integers(1, 400))
def test_a_torn_last_line_costs_that_line_alone(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
    journal = Journal(path)
    for repeat in range(3):
        journal.finished(("chat-1", None, repeat), "passed", f"chat@r{repeat}")
    journal.let_go()
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    whole = content[:-cut].count(b"\n")
    found = read_journal(path)
    assert len(found.transitions) in {whole, whole + 1}  # only the line feed may be missing
    assert found.damaged == ()
    again = Journal(path)
    again.finished(("chat-1", None, 9), "failed", "chat@r9")
    again.let_go()
    assert read_journal(path).transitions[-1].repeat == 9
    assert read_journal(path).transitions[: len(found.transitions)] == found.transitions


@given(st.lists(st.binary(max_size=12) | st.just(b'{"schema_version":1}'), max_size=5))
def test_damaged_lines_are_numbered_and_cost_no_other(
    tmp_path_factory: pytest.TempPathFactory, damage: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "journal.jsonl"
    journal = Journal(path)
    journal.running(KEY)
    line = path.read_bytes()
    journal.let_go()
    parts = [one.replace(b"\n", b"?").replace(b"\r", b"?") + b"\n" for one in damage]
    path.write_bytes(line + b"".join(parts) + line)
    found = read_journal(path)
    assert [one.state for one in found.transitions] == ["running", "running"]
    expected = [number for number, one in enumerate(parts, start=2) if one.strip()]
    assert found.damaged == tuple(expected)


def test_a_journal_of_a_newer_version_asks_for_an_upgrade(store: RunStore) -> None:
    path = store.path / "journal.jsonl"
    path.write_text(json.dumps({"schema_version": 2, "state": "paused"}) + "\n")
    with pytest.raises(StoreError, match=r"newer pytest-llem.*pip install --upgrade"):
        read_journal(path)


@pytest.mark.parametrize("lines", [3, 40])
def test_a_killed_writer_loses_nothing_that_it_had_noted(store: RunStore, lines: int) -> None:
    path = store.path / "journal.jsonl"
    with writer(path) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        assert is_in_use(path)
        process.kill()
        told += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    finished = {one.repeat for one in read_journal(path).transitions if one.state == "finished"}
    assert {int(line) for line in told if line.endswith("\n")} <= finished
    assert not is_in_use(path)


def test_several_writers_tear_no_line(store: RunStore) -> None:
    path = store.path / "journal.jsonl"
    writers = [writer(path) for _ in range(2)]
    for process in writers:
        assert process.stdout is not None
        for _ in range(30):
            process.stdout.readline()
    for process in writers:
        process.kill()
        process.communicate()
    found = read_journal(path)
    assert found.damaged == ()
    assert {one.process for one in found.transitions} == {process.pid for process in writers}


def test_nobody_has_a_run_alone_while_another_takes_part(store: RunStore) -> None:
    path = store.path / "journal.jsonl"
    with writer(path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        journal = store.journal()
        with pytest.raises(StoreError, match=rf"in use by process {process.pid} .*Wait for its"):
            journal.have_alone()
        journal.join()  # together with others one may
        journal.let_go()
        process.kill()
    store.journal().have_alone()


def test_who_died_is_not_named(store: RunStore) -> None:
    path = store.path / "journal.jsonl"
    with writer(path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    assert "in use by another process" in in_use(path)


def test_whoever_has_a_run_alone_may_go_on_to_take_part(store: RunStore) -> None:
    journal = store.journal()
    journal.have_alone()
    with pytest.raises(StoreError, match="in use"):
        store.journal().join()
    journal.join()
    store.journal().join()


def test_a_fork_leaves_the_run_to_its_parent(store: RunStore) -> None:
    journal = store.journal()
    journal.join()
    pid = os.fork()
    if not pid:
        signal.pause()
    try:
        journal.let_go()
        assert not is_in_use(journal.path)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_full_disk_is_named_and_the_torn_line_harms_no_later_one(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = store.journal()
    journal.running(KEY)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(journal_module.os, "write", lambda at, text: write(at, text[:30]))
        with pytest.raises(StoreError, match=r"journal\.jsonl: the disk is full\. Free some space"):
            journal.finished(KEY, "passed", "chat-1")
    journal.finished(KEY, "passed", "chat-1")
    assert states(journal.path) == ["running", "finished"]


def test_a_file_system_without_locks_tells_nothing_and_stops_nobody(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: int, __: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(journal_module.fcntl, "flock", none)
    journal = store.journal()
    journal.have_alone()
    journal.join()
    assert states(journal.path) == ["joined"]
    assert not is_in_use(journal.path)


def test_a_run_that_was_deleted_is_named(store: RunStore) -> None:
    (store.path / "results").rmdir()
    journal = Journal(store.path / "results" / "journal.jsonl")
    with pytest.raises(StoreError, match="If it was deleted while the run was going"):
        journal.join()


def test_a_line_needs_no_more_than_its_kind_has(store: RunStore) -> None:
    journal = store.journal()
    journal.finished(OTHER, "crashed", None)
    (line,) = journal.path.read_text().splitlines()
    assert "node_id" not in json.loads(line)
    assert Transition.model_validate_json(line).node_id is None
