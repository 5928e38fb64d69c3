"""Locks between real processes: who has a device, who waits, and who is let in next."""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import LockError
from pytest_llem.isolation.exclusive import directory as directories
from pytest_llem.isolation.exclusive.directory import lock_directory, prepared
from pytest_llem.isolation.exclusive.holder import duration_text, parse_holder, this_process
from pytest_llem.isolation.exclusive.leases import Leases, Obstacle, Wanted
from pytest_llem.isolation.exclusive.lock_file import file_name, holder_of, try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOLD = """
import sys
from pathlib import Path
from pytest_llem.isolation.exclusive.holder import this_process
from pytest_llem.isolation.exclusive.leases import Leases, Wanted

directory, what, *names = sys.argv[1:]
count = int(names.pop())
wanted = Wanted(any_of=tuple(names), count=count) if count else Wanted(all_of=tuple(names))
leases = Leases(Path(directory), 60.0, lambda text, _: print("waits", text, flush=True))
with leases.held(wanted, this_process(what, "run-1")) as taken:
    print("has", *taken, flush=True)
    sys.stdin.readline()
print("gone", flush=True)
"""


class Other:
    """Another process that wants locks, and says what it has."""

    def __init__(
        self, directory: Path, *names: str, count: int = 0, what: str = "test_other"
    ) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(directory), what, *names, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self, within_s: float = 30.0) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], within_s)
        assert ready, "it says nothing"
        return self.process.stdout.readline().strip()

    def is_silent(self, for_s: float = 0.6) -> bool:
        assert self.process.stdout is not None
        return not select.select([self.process.stdout], [], [], for_s)[0]

    def lets_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "locks"


@pytest.fixture
def other(directory: Path) -> Iterator[Callable[..., Other]]:
    """Start another process that wants locks; it is ended in any case."""
    with ExitStack() as stack:

        def start(*names: str, count: int = 0, what: str = "test_other") -> Other:
            found = Other(directory, *names, count=count, what=what)
            stack.callback(found.end)
            return found

        yield start


def leases(
    directory: Path, timeout_s: float | None = 30.0, said: list[str] | None = None
) -> Leases:
    def tell(text: str, _: Obstacle) -> None:
        if said is not None:
            said.append(text)

    return Leases(directory, timeout_s, tell)


def one(*names: str) -> Wanted:
    return Wanted(all_of=names, labels={name: f"NVIDIA L4 {name}" for name in names})


def test_a_device_is_one_processes_alone(directory: Path, other: Callable[..., Other]) -> None:
    first, second, elsewhere = other("GPU-a"), None, None
    assert first.says() == "has"
    second = other("GPU-a")
    elsewhere = other("GPU-b")
    assert elsewhere.says() == "has"
    assert second.says().startswith("waits waiting for GPU-a, held by pid")
    assert second.is_silent()
    first.lets_go()
    assert second.says() == "has"


def test_who_waits_says_for_whom(directory: Path, other: Callable[..., Other]) -> None:
    holder = other("GPU-a", what="test_it.py::test_slow[8]")
    assert holder.says() == "has"
    said: list[str] = []
    with (
        pytest.raises(LockError, match=r"after 1 s of waiting"),
        leases(directory, 1.3, said).held(one("GPU-a"), this_process("mine")),
    ):
        pytest.fail("it was held")
    (line,) = said
    assert "\n" not in line
    assert f"waiting for NVIDIA L4 GPU-a, held by pid {holder.process.pid} of " in line
    assert "test_it.py::test_slow[8] in run run-1" in line
    assert line.endswith("for 1 s")


def test_without_patience_the_error_says_who_has_it(
    directory: Path, other: Callable[..., Other]
) -> None:
    holder = other("GPU-a")
    assert holder.says() == "has"
    with (
        pytest.raises(LockError, match=rf"without waiting: .*held by pid {holder.process.pid} "),
        leases(directory, 0).held(one("GPU-a"), this_process("mine")),
    ):
        pytest.fail("it was held")
    with leases(directory, 0).held(one("GPU-b"), this_process("mine")) as taken:
        assert taken == ()


def test_the_lock_of_a_killed_process_is_taken_over(
    directory: Path, other: Callable[..., Other]
) -> None:
    holder = other("GPU-a")
    assert holder.says() == "has"
    holder.process.send_signal(signal.SIGKILL)
    holder.process.wait()
    text = (directory / file_name("GPU-a")).read_bytes()
    assert parse_holder(text) is not None, "it had no time to erase its name"
    assert holder_of(directory / file_name("GPU-a")) is None, "and it is not named any more"
    with leases(directory, 0).held(one("GPU-a"), this_process("mine")):
        named = holder_of(directory / file_name("GPU-a"))
    assert named is not None
    assert named.what == "mine"


def test_a_killed_waiter_holds_nobody_up(directory: Path, other: Callable[..., Other]) -> None:
    holder = other("GPU-a", "GPU-b")
    assert holder.says() == "has"
    waiter = other("GPU-a", "GPU-b")
    assert waiter.says().startswith("waits")
    waiter.process.send_signal(signal.SIGKILL)
    waiter.process.wait()
    assert [path for path in directory.iterdir() if path.name.startswith("ticket-")]
    holder.lets_go()
    assert holder.says() == "gone"
    with leases(directory, 0).held(one("GPU-b"), this_process("mine")):
        pass
    assert not [path for path in directory.iterdir() if path.name.startswith("ticket-")]


def test_a_number_that_now_belongs_to_another_process_is_not_named(directory: Path) -> None:
    path = prepared(directory) / file_name("GPU-a")
    mine = this_process("mine")
    assert mine.started is not None
    path.write_bytes(replace(mine, started=mine.started + 1).to_bytes())
    assert holder_of(path) is None
    path.write_bytes(mine.to_bytes())
    assert holder_of(path) == mine


def test_a_process_of_another_container_is_believed_and_said_to_be_elsewhere() -> None:
    boot = this_process("mine").place.split()[0]
    elsewhere = replace(this_process("mine"), pid=10**6, place=f"{boot} pid:[1]")
    assert elsewhere.is_alive()
    assert "in another container" in elsewhere.described()
    assert ", for " not in replace(elsewhere, place="another-boot pid:[1]").described()


@pytest.mark.parametrize(
    "text",
    [b"", b"\xff\x00", b"[]", b"{}", b'{"pid": 1}', b"null", b"1" * 9000],
)
def test_whatever_a_lock_file_contains_it_can_be_taken(directory: Path, text: bytes) -> None:
    path = prepared(directory) / file_name("GPU-a")
    path.write_bytes(text)
    assert holder_of(path) is None
    with leases(directory, 0).held(one("GPU-a"), this_process("mine")):
        assert holder_of(path) is not None
    assert path.read_bytes() == b""


def test_a_name_cannot_play_tricks_on_the_terminal() -> None:
    shown = replace(this_process("\x1b[2J\nmine"), user="\x07", command="\r" * 999).described()
    assert shown.isprintable()
    assert len(shown) < 600


def test_several_devices_are_taken_at_once_in_order_and_only_free_ones(
    directory: Path, other: Callable[..., Other]
) -> None:
    pool = ("GPU-c", "GPU-a", "GPU-d", "GPU-b")
    holder = other("GPU-a")
    assert holder.says() == "has"
    wanted = Wanted(any_of=pool, count=2)
    with leases(directory, 0).held(wanted, this_process("mine")) as taken:
        assert taken == ("GPU-c", "GPU-d")
        with (
            pytest.raises(LockError, match="2 free of 4 GPUs; GPU-c, held by pid"),
            leases(directory, 0).held(wanted, this_process("more")),
        ):
            pytest.fail("it was held")
        with leases(directory, 0).held(Wanted(any_of=pool, count=1), this_process("one")) as last:
            assert last == ("GPU-b",), "what was tried in vain was given back"


def test_who_needs_several_is_not_passed_by_those_who_need_one(
    directory: Path, other: Callable[..., Other]
) -> None:
    pool = ("GPU-a", "GPU-b")
    singles = [other(*pool, count=1) for _ in pool]
    assert sorted(single.says() for single in singles) == ["has GPU-a", "has GPU-b"]
    pair = other(*pool, count=2)
    assert pair.says().startswith("waits")
    late = other(*pool, count=1)
    assert late.says().startswith("waits waiting for GPU-a and 1 more, behind one that waits")
    singles[0].lets_go()
    assert late.is_silent(), "the pair was there before"
    singles[1].lets_go()
    assert pair.says() == "has GPU-a GPU-b"
    assert late.is_silent(0.2)
    pair.lets_go()
    assert late.says().startswith("has GPU-")


def test_who_wants_something_else_is_not_held_up_by_the_queue(
    directory: Path, other: Callable[..., Other]
) -> None:
    holder, waiter = other("GPU-a"), None
    assert holder.says() == "has"
    waiter = other("GPU-a", "GPU-b")
    assert waiter.says().startswith("waits")
    with leases(directory, 0).held(one("machine"), this_process("mine")):
        pass


def test_threads_of_one_process_exclude_each_other(directory: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with leases(directory).held(one("machine"), this_process("second")):
            order.append("second")

    with leases(directory).held(one("machine"), this_process("first")):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_an_experiment_within_an_experiment_does_not_wait_for_itself(
    directory: Path,
) -> None:
    with leases(directory).held(one("machine"), this_process("outer")):
        with (
            pytest.raises(LockError, match="would wait for itself for ever"),
            leases(directory).held(one("machine"), this_process("inner")),
        ):
            pytest.fail("it was held")
        child = Other(directory, "machine")
        assert child.process.wait(30) == 1
        child.end()


def test_no_child_keeps_a_lock(directory: Path) -> None:
    with leases(directory).held(one("machine"), this_process("mine")):
        survivor = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        here, there = os.pipe()
        fork = os.fork()
        if not fork:
            os.write(there, b"!")
            time.sleep(60)
            os._exit(0)
        assert os.read(here, 1)
        kept = [_open_files(pid) for pid in (survivor.pid, fork)]
    try:
        with leases(directory, 0).held(one("machine"), this_process("again")):
            pass
        assert not any(str(directory) in path for paths in kept for path in paths)
    finally:
        os.close(here)
        os.close(there)
        survivor.kill()
        survivor.wait()
        os.kill(fork, signal.SIGKILL)
        os.waitpid(fork, 0)


def _open_files(pid: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]


def test_ctrl_c_ends_the_waiting_and_leaves_nothing(
    directory: Path, other: Callable[..., Other]
) -> None:
    holder = other("GPU-a")
    assert holder.says() == "has"
    waiter = other("GPU-a")
    assert waiter.says().startswith("waits")
    waiter.process.send_signal(signal.SIGINT)
    assert waiter.process.wait(30) != 0
    assert sorted(path.name for path in directory.iterdir()) == ["GPU-a.lock", "queue.lock"]
    holder.lets_go()
    assert holder.says() == "gone"


def test_everybody_can_write_the_directory_and_its_files(directory: Path) -> None:
    before = os.umask(0o077)
    try:
        with leases(directory).held(one("GPU-a"), this_process("mine")):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o1777
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o666}


def test_a_link_is_not_followed(directory: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (prepared(directory) / file_name("GPU-a")).symlink_to(precious)
    with (
        pytest.raises(LockError, match=r"GPU-a.lock cannot be opened"),
        leases(directory, 0).held(one("GPU-a"), this_process("mine")),
    ):
        pytest.fail("it was held")
    (directory / file_name("GPU-b")).hardlink_to(precious)
    with (
        pytest.raises(LockError, match="no file of its own"),
        leases(directory, 0).held(one("GPU-b"), this_process("mine")),
    ):
        pytest.fail("it was held")
    assert precious.read_text() == "kept"


def test_a_file_that_was_tidied_away_is_no_lock(directory: Path) -> None:
    path = prepared(directory) / file_name("GPU-a")
    first = try_lock(path)
    assert first is not None
    path.unlink()
    second = try_lock(path)
    assert second is not None
    assert try_lock(path) is None
    first.release()
    assert try_lock(path) is None
    second.release()


AS_NOBODY = """
import os, sys
from pathlib import Path
from pytest_llem.errors import LockError
from pytest_llem.isolation.exclusive.holder import this_process
from pytest_llem.isolation.exclusive.leases import Leases, Wanted
this_process("while the interpreter's files can be read")
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Leases(Path(sys.argv[1]), 0, print).held(Wanted(all_of=("GPU-a",)), this_process("his")):
        print("has")
except LockError as error:
    print(error)
"""


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that another user reaches."""
    path = Path("/tmp") / f"llem-test-{os.getpid()}"  # noqa: S108 - pytest's own are private
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


def as_nobody(directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )
    assert not done.stderr
    return done.stdout


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@needs_root
def test_another_user_takes_part(public: Path) -> None:
    with leases(public / "locks").held(one("GPU-a"), this_process("mine")):
        assert f"held by pid {os.getpid()} of root: mine" in as_nobody(public / "locks")
    assert as_nobody(public / "locks") == "has\n"
    with leases(public / "locks", 0).held(one("GPU-a"), this_process("mine")):
        pass


@needs_root
def test_what_another_user_may_not_do_is_explained(public: Path) -> None:
    said = as_nobody(public / "locks")
    assert "cannot be made: Permission denied" in said
    assert "Set LLEM_LOCK_DIR" in said
    assert "--llem-allow-shared" in said
    directory = prepared(public / "locks")
    with leases(directory).held(one("GPU-a"), this_process("mine")):
        pass
    (directory / "GPU-a.lock").chmod(0o600)
    assert "GPU-a.lock belongs to root, mode 600" in as_nobody(directory)
    directory.chmod(0o755)
    (directory / "queue.lock").unlink()
    assert f"{directory} belongs to root, mode 755" in as_nobody(directory)


def test_a_file_system_without_locks_is_said(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(LockError, match=r"has no locks \(flock: No locks available\). Set LLEM"),
        leases(directory).held(one("GPU-a"), this_process("mine")),
    ):
        pytest.fail("it was held")


def test_all_users_meet_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "lock", tmp_path / "tmp"
    monkeypatch.setattr(directories, "PLACES", (first, second))
    second.mkdir()
    second.chmod(0o1777)
    assert lock_directory({}) == second / "llem-locks"
    first.mkdir(mode=0o755)
    assert lock_directory({}) == second / "llem-locks", "others than root would go there"
    first.chmod(0o1777)
    assert lock_directory({"TMPDIR": "/mine"}) == first / "llem-locks"
    assert lock_directory({"LLEM_LOCK_DIR": "/mine"}) == Path("/mine")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.9, "59 s"), (125, "2 min 05 s"), (7800, "2 h 10 min"), (-3, "0 s")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


STRESS = """
import os, random, sys, time
from pathlib import Path
from pytest_llem.isolation.exclusive.holder import this_process
from pytest_llem.isolation.exclusive.leases import Leases, Wanted

root, seed = Path(sys.argv[1]), int(sys.argv[2])
pool = tuple(f"GPU-{n}" for n in range(4))
rng = random.Random(seed)
leases = Leases(root / "locks", 60.0, lambda *_: None)
for _ in range(12):
    count = rng.randint(1, 3)
    if rng.random() < 0.2:
        names = tuple(rng.sample(pool, count))
        wanted, taken = Wanted(all_of=names), names
    else:
        wanted, taken = Wanted(any_of=tuple(rng.sample(pool, 4)), count=count), None
    with leases.held(wanted, this_process("stress")) as found:
        taken = taken or found
        assert len(set(taken)) == count, taken
        for name in taken:
            os.close(os.open(root / name, os.O_CREAT | os.O_EXCL))  # nobody else is inside
        time.sleep(rng.uniform(0, 0.02))
        for name in taken:
            with (root / f"{name}.count").open("r+") as counter:
                value = int(counter.read())
                counter.seek(0)
                counter.write(str(value + 1))
            (root / name).unlink()
    print(count)
"""


def test_many_who_want_one_to_three_of_four_devices_never_meet_nor_block(tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / f"GPU-{n}.count").write_text("0")
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", STRESS, str(tmp_path), str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(6)
    ]
    said = [member.communicate(timeout=60)[0].split() for member in crowd]
    assert [member.returncode for member in crowd] == [0] * 6
    assert [len(counts) for counts in said] == [12] * 6
    counted = sum(int((tmp_path / f"GPU-{n}.count").read_text()) for n in range(4))
    assert counted == sum(int(count) for counts in said for count in counts)
    assert sorted(path.name for path in (tmp_path / "locks").iterdir()) == [
        *(f"GPU-{n}.lock" for n in range(4)),
        "queue.lock",
    ]


def test_a_lock_says_who_in_a_form_that_programs_read(directory: Path) -> None:
    with leases(directory).held(one("GPU-a"), this_process("mine", "run-7")):
        said = json.loads((directory / "GPU-a.lock").read_text())
    assert (said["pid"], said["what"], said["run"]) == (os.getpid(), "mine", "run-7")


def test_waiting_leaves_the_random_numbers_of_tests_alone(
    directory: Path, other: Callable[..., Other]
) -> None:
    assert other("gpu-a").says() == "has"
    before = random.getstate()
    with (
        pytest.raises(LockError),
        leases(directory, 0.1).held(one("gpu-a"), this_process("t", "r")),
    ):
        pass
    assert random.getstate() == before
