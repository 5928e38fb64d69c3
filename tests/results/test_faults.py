"""Disks that fill up, directories that go away, processes that are killed."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import StoreError
from pytest_llem.results.environment import Environment
from pytest_llem.results.files import replaced
from pytest_llem.results.root import run_directories
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult

SCRIPT = Path(__file__).with_name("scripts") / "write_results.py"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@pytest.fixture
def example(tmp_path: Path, make_result: Callable[..., ExperimentResult]) -> Path:
    path = tmp_path / "example.json"
    path.write_text(make_result().model_dump_json())
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(path: Path) -> None:
    """Use up what is left of a disk."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def begin(root: Path) -> RunStore:
    return RunStore.create(root, command=["pytest"], environment=Environment())


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_process_loses_no_result_it_had_stored(
    tmp_path: Path, example: Path, seed: int
) -> None:
    pause = random.Random(seed).uniform(0.0, 0.05)  # noqa: S311  when to kill, not a secret
    command = [sys.executable, SCRIPT, "new", tmp_path / "runs", example, "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(5)]
        time.sleep(pause)
        writer.kill()
        told += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL

    (path,) = run_directories(tmp_path / "runs")
    store = RunStore.open(path)
    assert store.problems() == []
    assert store.manifest().state == "running"
    stored = {str(entry.path) for entry in store.entries()}
    assert {line.strip() for line in told if line.endswith("\n")} <= stored
    for entry in store.entries():
        assert store.raw_of(entry.name).traces[0].device.uuid == f"GPU-{entry.result.repeat}"


def test_a_process_may_be_killed_at_any_step_of_writing_and_compacting(
    tmp_path: Path, example: Path
) -> None:
    subprocess.run([sys.executable, SCRIPT, "kill", tmp_path, example, "0"], check=True, timeout=50)
    for mode, earlier in (("write", 1), ("compact", 3)):
        runs = [RunStore.open(path) for path in run_directories(tmp_path / mode)]
        assert len(runs) > 5
        for run in runs:
            assert run.problems() == []
            results = list(run.results())
            assert [result.repeat for result in results[:earlier]] == list(range(earlier))
            for result in results:
                raw = run.raw(result.experiment_id, result.repeat)
                assert raw.traces[0].device.uuid == f"GPU-{result.repeat}"
                assert len(raw.traces[0]) == 100
            run.compact()
            assert not list((run.path / "raw").glob("*.jsonl"))


def test_a_run_goes_on_where_a_killed_process_left_half_a_result(
    store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    first = store.write_result(make_result(), None)
    first.rename(first.with_name(f".{first.name}.claim"))
    store.write_result(make_result(), None)
    assert list(store.results()) == [make_result()]


def test_what_cannot_take_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with (
        pytest.raises(StoreError, match="a directory is where"),
        replaced(tmp_path / "taken") as file,
    ):
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@root_only
def test_a_full_disk_is_named_and_earlier_results_stay(
    small_disk: Path,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    store = begin(small_disk)
    full = r"the disk is full. Free some space, or .*--llem-dir"
    written = 0
    while shutil.disk_usage(small_disk).free > 64 * 1024:
        store.write_result(make_result(repeat=written), make_raw(200))
        written += 1
    fill(small_disk / "filler")
    with pytest.raises(StoreError, match=full):
        store.write_result(make_result(repeat=written), make_raw(200))
    assert written > 1
    assert store.problems() == []
    assert len(list(store.results())) == written
    for repeat in range(written):
        assert len(store.raw(make_result().experiment_id, repeat).traces[0]) == 200
    assert not [path for path in store.path.rglob(".*") if path.name != ".gitignore"]


@root_only
def test_compacting_on_a_full_disk_keeps_what_was_staged(
    small_disk: Path,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    store = begin(small_disk)
    store.write_result(make_result(), make_raw(1000))
    filler = small_disk / "filler"
    fill(filler)
    with pytest.raises(StoreError, match="the disk is full"):
        store.compact()
    assert repr(store.raw(make_result().experiment_id)) == repr(make_raw(1000))
    with pytest.raises(StoreError, match="the disk is full"):
        store.finish()
    assert store.manifest().state == "running"

    filler.unlink()
    store.compact()
    assert repr(store.raw(make_result().experiment_id)) == repr(make_raw(1000))
    assert store.finish().counts == {"passed": 1}


@root_only
def test_a_read_only_disk_is_named(
    small_disk: Path, make_result: Callable[..., ExperimentResult]
) -> None:
    store = begin(small_disk)
    store.write_result(make_result(), None)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreError, match=r"cannot write .* the file system is read-only"):
        store.write_result(make_result(repeat=1), None)
    with pytest.raises(StoreError, match=r"cannot create .* the file system is read-only"):
        begin(small_disk / "new")
    assert list(store.results()) == [make_result()]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your disk quota is used up"),
        (errno.EFBIG, "it would exceed the limit on file sizes"),
        (errno.EIO, "the system says Input/output error. Check that disk"),
    ],
)
def test_a_disk_that_fails_only_when_data_is_flushed_is_named(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    reason: str,
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    store.write_result(make_result(), None)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=f"cannot write .*: {reason}"):
        store.write_result(make_result(repeat=1), None)
    assert list(store.results()) == [make_result()]
    assert len(list((store.path / "results").iterdir())) == 1


def test_a_result_is_stored_even_where_its_raw_data_cannot_be(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    shutil.rmtree(store.path / "raw")
    with pytest.raises(StoreError, match=r"is stored, but cannot be recomputed.*does not exist"):
        store.write_result(make_result(), make_raw())
    assert list(store.results()) == [make_result()]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that other users reach, unlike those of pytest."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_read_only_directory_is_named(example: Path, open_directory: Path) -> None:
    shutil.copy(example, open_directory)
    store = begin(open_directory / ".llem")
    results = store.path / "results"
    shutil.copy(example, results / "earlier.json")
    results.chmod(0o555)
    mode = "unprivileged" if os.geteuid() == 0 else "same"
    process = subprocess.run(
        [sys.executable, SCRIPT, mode, store.path, open_directory / example.name, "1"],
        check=False,
        capture_output=True,
        text=True,
    )
    results.chmod(0o755)
    assert process.returncode == 1
    assert "StoreError: cannot write" in process.stderr
    assert "permission is denied. Change the permissions, or keep runs elsewhere" in process.stderr
    assert [path.name for path in results.iterdir()] == ["earlier.json"]


@pytest.mark.parametrize("name", [".llem", ".llem/runs"])
def test_a_file_where_a_directory_is_needed_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(StoreError, match="a file is where a directory is needed"):
        begin(tmp_path / ".llem")


def test_a_run_deleted_underneath_is_named(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    shutil.rmtree(store.path)
    gone = r"does not exist. If it was deleted while the run was going, start the run again"
    with pytest.raises(StoreError, match=f"cannot write .*{gone}"):
        store.write_result(make_result(), make_raw())
    with pytest.raises(StoreError, match=f"cannot read .*{gone}"):
        list(store.results())
    with pytest.raises(StoreError, match=f"cannot read .*{gone}"):
        store.compact()
    with pytest.raises(StoreError, match=f"cannot read .*{gone}"):
        store.finish()
