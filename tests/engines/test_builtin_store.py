"""The cache of built-in models: atomic, verified, rebuilt, clear when it cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pytest_llem.engines.builtin import tiny
from pytest_llem.engines.builtin.store import cache_dir, digest, materialize
from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = Path(__file__).parents[2] / "src"
BUILD = "from pytest_llem.engines.builtin import store, tiny; print(store.materialize(tiny))"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def start(code: str, cache: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"LLEM_CACHE_DIR": str(cache), "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LLEM_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"LLEM_CACHE_DIR": "", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/pytest-llem"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/c"}, "/c/.cache/pytest-llem"),
        ({"HOME": "/c"}, "/c/.cache/pytest-llem"),
    ],
)
def test_the_cache_directory_is_where_the_environment_says(
    environ: dict[str, str], expected: str
) -> None:
    assert cache_dir(environ) == Path(expected)


def test_a_model_is_built_once_and_complete(tmp_path: Path) -> None:
    environ = {"LLEM_CACHE_DIR": str(tmp_path)}
    folder = materialize(tiny, environ)
    built = {path: path.stat().st_ino for path in folder.iterdir()}
    assert digest(contents(folder)) == tiny.SHA256
    assert materialize(tiny, environ) == folder
    assert {path: path.stat().st_ino for path in folder.iterdir()} == built
    assert [path.name for path in folder.parent.iterdir() if path.name != ".lock"] == [folder.name]


def flip_a_bit(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[7_000_000] ^= 1
    weights.write_bytes(content)


def truncate(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def lose_a_file(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def add_a_file(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("hi")


def add_a_folder(folder: Path) -> None:
    (folder / "checkpoint").mkdir()


def put_a_file_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("not a folder")


def put_a_dangling_link_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.symlink_to(folder.parent / "nowhere")


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        truncate,
        lose_a_file,
        add_a_file,
        add_a_folder,
        put_a_file_in_its_place,
        put_a_dangling_link_in_its_place,
    ],
)
def test_a_corrupt_model_is_rebuilt(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    environ = {"LLEM_CACHE_DIR": str(tmp_path)}
    damage(materialize(tiny, environ))
    folder = materialize(tiny, environ)
    assert digest(contents(folder)) == tiny.SHA256
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]


def test_what_a_killed_build_left_behind_is_removed(tmp_path: Path) -> None:
    leftover = tmp_path / "models" / ".building-xyz" / "tiny"
    leftover.mkdir(parents=True)
    folder = materialize(tiny, {"LLEM_CACHE_DIR": str(tmp_path)})
    assert folder.is_dir()
    assert not leftover.parent.exists()


def test_several_processes_may_build_at_once(tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.001)\n"
    processes = [start(wait + BUILD, tmp_path) for _ in range(6)]
    time.sleep(0.2)
    go.touch()
    finished = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, finished
    folders = {output.strip() for output, _ in finished}
    assert len(folders) == 1
    assert digest(contents(Path(folders.pop()))) == tiny.SHA256


def test_several_processes_may_repair_at_once(tmp_path: Path) -> None:
    folder = materialize(tiny, {"LLEM_CACHE_DIR": str(tmp_path)})
    for _ in range(3):
        truncate(folder)
        processes = [start(BUILD, tmp_path) for _ in range(4)]
        finished = [process.communicate() for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, finished
        assert digest(contents(folder)) == tiny.SHA256


def test_an_intact_model_is_used_from_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    folder = materialize(tiny, {"LLEM_CACHE_DIR": str(tmp_path)})
    (folder.parent / ".lock").unlink()
    (folder.parent / ".lock").mkdir()  # opening it would fail
    assert materialize(tiny, {"LLEM_CACHE_DIR": str(tmp_path)}) == folder


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, which nobody can write")
def test_a_directory_that_cannot_be_written_is_a_clear_error() -> None:
    with pytest.raises(EngineError, match="LLEM_CACHE_DIR") as caught:
        materialize(tiny, {"LLEM_CACHE_DIR": "/proc/pytest-llem"})
    assert "/proc/pytest-llem" in str(caught.value)


def test_a_file_where_the_directory_should_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(EngineError, match="LLEM_CACHE_DIR"):
        materialize(tiny, {"LLEM_CACHE_DIR": str(tmp_path)})


def test_a_full_disk_is_a_clear_error_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
    report = (
        "from pytest_llem.errors import EngineError\n"
        "from pytest_llem.engines.builtin import store, tiny\n"
        "try: store.materialize(tiny)\n"
        "except EngineError as error: print(error)\n"
    )
    output, errors = start(limit + report, tmp_path).communicate()
    assert "cannot keep the built-in model builtin/tiny" in output, errors
    assert "LLEM_CACHE_DIR" in output
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]
    assert digest(contents(materialize(tiny, {"LLEM_CACHE_DIR": str(tmp_path)}))) == tiny.SHA256


def test_a_damaged_installation_is_not_written_to_the_cache(tmp_path: Path) -> None:
    recipe = SimpleNamespace(NAME="builtin/tiny", SHA256=tiny.SHA256, files=lambda: {"a": b"b"})
    with pytest.raises(EngineError, match="Reinstall"):
        materialize(recipe, {"LLEM_CACHE_DIR": str(tmp_path)})
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]
