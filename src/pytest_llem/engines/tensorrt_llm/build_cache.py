"""Built engines on disk: complete or not at all, by everything that they depend on.

An entry is a folder named by a digest of its facts. ``entry.json`` in it lists the engine's
files with their sizes and digests, and is checked whole before each use; an entry that is
damaged, or that does not describe what its name says, is built again. One process at a time
builds an entry; others wait for it and then use it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VARIABLE = "LLEM_TENSORRT_LLM_ENGINES"
FORMAT = 1
TEMPORARY = ".building-"
ENTRY, ENGINE = "entry.json", "engine"


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """An engine that can be loaded."""

    folder: Path
    key: str
    build_s: float
    """How long it took to build, whenever that was."""
    reused: bool
    """Whether it was there already."""
    bytes: int
    rebuilt_because: str | None = None
    """What was wrong with the entry that was there; ``None`` if there was none."""


def engines_dir(environ: Mapping[str, str], default: Path) -> Path:
    """Where engines lie: ``LLEM_TENSORRT_LLM_ENGINES``, else *default*."""
    own = environ.get(VARIABLE)
    return Path(own).absolute() if own else default


def key_of(facts: Mapping[str, Any]) -> str:
    """A digest of *facts*, which are JSON values."""
    text = json.dumps(dict(facts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{FORMAT}\0{text}".encode()).hexdigest()[:32]


class BuildCache:
    """Engines below one folder."""

    def __init__(self, root: Path, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._root = root
        self._clock = clock

    def obtain(self, facts: Mapping[str, Any], build: Callable[[Path], None]) -> BuiltEngine:
        """The engine that *facts* describe, built by *build* into the folder it is given if need be.

        Raises:
            EngineError: the folder cannot be written, or *build* left nothing behind.
            Exception: whatever *build* raises; nothing is kept of that engine.
        """
        key = key_of(facts)
        entry = self._root / key
        with self._locked(key):
            self._clean(key)
            found, wrong = _read(entry, facts)
            return found or self._built(entry, facts, build, wrong)

    def _built(
        self,
        entry: Path,
        facts: Mapping[str, Any],
        build: Callable[[Path], None],
        wrong: str | None,
    ) -> BuiltEngine:
        with self._explained():
            temporary = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{entry.name}-", dir=self._root))
        try:
            with self._explained():
                fresh = temporary / "entry"
                (fresh / ENGINE).mkdir(parents=True)
            start_ns = self._clock()
            build(fresh / ENGINE)
            build_s = (self._clock() - start_ns) / 1e9
            with self._explained():
                size = _keep(fresh, entry, facts, build_s)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return BuiltEngine(
            entry / ENGINE, entry.name, build_s, reused=False, bytes=size, rebuilt_because=wrong
        )

    def _clean(self, key: str) -> None:
        """Remove what a process left that was killed while it built; its lock is ours now."""
        for leftover in self._root.glob(f"{TEMPORARY}{key}-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        with self._explained():
            self._root.mkdir(parents=True, exist_ok=True)
            lock = (self._root / f"{key}.lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EngineError(
                f"cannot keep built engines in {self._root}: {error.strerror or error}. Make room or "
                f"make the folder writable, or name another one in {VARIABLE}."
            ) from error


def _keep(fresh: Path, entry: Path, facts: Mapping[str, Any], build_s: float) -> int:
    """Put what was built in its place, with a description; its size in bytes."""
    files = _files(fresh / ENGINE)
    if not files:
        raise EngineError("TensorRT-LLM built an engine and left no file of it.")
    said = {"facts": dict(facts), "files": files, "build_s": build_s}
    (fresh / ENTRY).write_text(json.dumps(said, indent=1), encoding="utf-8")
    if entry.exists() or entry.is_symlink():
        entry.rename(fresh.with_name("damaged"))
    fresh.rename(entry)
    return sum(one["bytes"] for one in files.values())


def _read(entry: Path, facts: Mapping[str, Any]) -> tuple[BuiltEngine | None, str | None]:
    """The engine of an entry, or what is wrong with it; neither if there is no entry."""
    if not entry.exists():
        return None, None
    try:
        said = json.loads((entry / ENTRY).read_text(encoding="utf-8"))
        if said["facts"] != json.loads(json.dumps(dict(facts))):
            return None, "it describes another engine"
        wrong = _difference(said["files"], _files(entry / ENGINE))
        if wrong is not None:
            return None, wrong
        size = sum(one["bytes"] for one in said["files"].values())
        build_s = float(said["build_s"])
        return BuiltEngine(entry / ENGINE, entry.name, build_s, reused=True, bytes=size), None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return None, f"{ENTRY} cannot be read ({type(error).__name__})"


def _difference(kept: Mapping[str, Any], present: Mapping[str, Any]) -> str | None:
    for name in sorted({*kept, *present}):
        if name not in present:
            return f"{name} is missing"
        if name not in kept:
            return f"{name} does not belong to it"
        if kept[name] != present[name]:
            return f"{name} is damaged"
    return None


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and digest of each file, by its path."""
    found = {}
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        found[str(file.relative_to(folder))] = {"bytes": file.stat().st_size, "sha256": digest}
    return found
