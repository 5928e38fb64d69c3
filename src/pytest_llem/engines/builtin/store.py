"""Where built-in models live on disk: built once, verified on every use, rebuilt when corrupt."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEMPORARY = ".building-"


class Recipe(Protocol):
    """What builds a model; modules such as :mod:`pytest_llem.engines.builtin.tiny` are recipes."""

    NAME: str
    SHA256: str

    def files(self) -> dict[str, bytes]: ...


def cache_dir(environ: Mapping[str, str]) -> Path:
    """``LLEM_CACHE_DIR``, else ``pytest-llem`` in ``XDG_CACHE_HOME`` or in ``~/.cache``.

    A relative ``XDG_CACHE_HOME`` is ignored, as the XDG base directory
    specification asks.
    """
    if own := environ.get("LLEM_CACHE_DIR"):
        return Path(own).absolute()
    shared = Path(environ.get("XDG_CACHE_HOME", ""))
    if not shared.is_absolute():
        shared = Path(environ.get("HOME") or "/") / ".cache"
    return shared / "pytest-llem"


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names, lengths and contents, in the order of the names."""
    sha = hashlib.sha256()
    for name in sorted(files):
        sha.update(f"{name}\0{len(files[name])}\0".encode())
        sha.update(files[name])
    return sha.hexdigest()


def materialize(recipe: Recipe, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds the model of *recipe*, built first if need be.

    Safe in several processes at once: a folder appears complete or not at all,
    and only one process at a time replaces a corrupt one.

    Raises:
        EngineError: the cache directory cannot be written.
    """
    folder = cache_dir(environ) / "models" / f"{Path(recipe.NAME).name}-{recipe.SHA256[:12]}"
    models = folder.parent
    try:
        if not _intact(folder, recipe):
            models.mkdir(parents=True, exist_ok=True)
            with _locked(models):
                if not _intact(folder, recipe):
                    _replace(folder, recipe)
    except OSError as error:
        raise EngineError(
            f"cannot keep the built-in model {recipe.NAME} in {folder}: {error.strerror or error}. "
            "Make room or make the folder writable, or name another one in LLEM_CACHE_DIR."
        ) from error
    return folder


def _intact(folder: Path, recipe: Recipe) -> bool:
    try:
        present = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    except OSError:
        return False
    return digest(present) == recipe.SHA256


def _replace(folder: Path, recipe: Recipe) -> None:
    files = recipe.files()
    if digest(files) != recipe.SHA256:
        raise EngineError(
            f"the built-in model {recipe.NAME} came out different from what this version of "
            "pytest-llem expects: the installation is damaged. Reinstall pytest-llem."
        )
    for leftover in folder.parent.glob(f"{TEMPORARY}*"):  # of a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=folder.parent) as temporary:
        built = Path(temporary) / folder.name
        built.mkdir()
        for name, content in files.items():
            (built / name).write_bytes(content)
        if folder.exists() or folder.is_symlink():
            folder.rename(Path(temporary) / "corrupt")
        built.rename(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
