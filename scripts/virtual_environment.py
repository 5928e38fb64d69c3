"""Virtual environments of a checkout: made, refreshed, and left alone while nothing changed.

One is made anew when the interpreter, the place or what is asked for changed, and installed
into again when ``pyproject.toml`` changed. Only the standard library, since it runs first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
STAMP = "llem-environment.json"
"""Says what was installed; written empty first, so that an interrupted build shows."""


class Fill(Protocol):
    """Installs into an environment."""

    def __call__(self, *, new: bool) -> Mapping[str, str]:
        """Install everything if it is *new*, else the project again.

        Returns:
            What is to be recorded beside the fingerprint.
        """
        ...


def fingerprint(project: Path, requirements: Sequence[str]) -> dict[str, str]:
    """What an environment depends on; one that differs in ``project`` only can be kept."""
    return {
        "python": f"{sys.version} in {sys.base_prefix}",
        "place": str(project),
        "requirements": " ".join(requirements),
        "project": hashlib.sha256((project / "pyproject.toml").read_bytes()).hexdigest(),
    }


def bring_up_to_date(venv: Path, wanted: Mapping[str, str], found: str, fill: Fill) -> None:
    """Bring *venv* up to date, if its stamp does not say what is *wanted*.

    Args:
        venv: the environment.
        wanted: its fingerprint.
        found: for people: what it is made for.
        fill: installs into it.
    """
    installed = read_stamp(venv)
    if all(installed.get(key) == value for key, value in wanted.items()):
        return
    print(f"Making {venv} with Python {sys.version.split()[0]} ({found}) ...", flush=True)
    new = not reusable(installed, wanted)
    if new:
        create(venv)
    else:
        write_stamp(venv, {})
    write_stamp(venv, {**wanted, **fill(new=new)})


def reusable(installed: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether installing into the environment again is enough."""
    return all(installed.get(key) == value for key, value in wanted.items() if key != "project")


def read_stamp(venv: Path) -> dict[str, str]:
    """What the environment says it is; empty if it is missing or was never finished."""
    try:
        return dict(json.loads((venv / STAMP).read_text()))
    except (OSError, ValueError):
        return {}


def write_stamp(venv: Path, installed: Mapping[str, str]) -> None:
    partial = venv / f"{STAMP}.partial"
    partial.write_text(json.dumps(installed, indent=1) + "\n")
    partial.replace(venv / STAMP)


def create(venv: Path) -> None:
    """An empty environment in place of whatever an earlier build left there."""
    if venv.exists() and not (venv / STAMP).exists():
        sys.exit(f"{venv} was not made by this project. Move or remove it, then try again.")
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        sys.exit(f"{sys.executable} lacks venv. On Debian or Ubuntu: apt-get install python3-venv")
    shutil.rmtree(venv, ignore_errors=True)
    venv.mkdir()
    write_stamp(venv, {})
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)


def pip(venv: Path, *arguments: str, directory: Path = ROOT) -> None:
    """Ask the environment's pip, as it is configured here; paths are taken from *directory*."""
    command = [str(venv / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], cwd=directory, check=True)


def refresh_checkout(refresh: Callable[[Path], None], what: str) -> None:
    """Have *refresh* bring this checkout's environment *what* up to date, or exit with a word."""
    try:
        with locked(ROOT):
            refresh(ROOT)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The environment{what} is not complete: {error}")


@contextlib.contextmanager
def locked(project: Path) -> Iterator[None]:
    """Keeps a second make in the same checkout waiting until this one has finished."""
    handle = os.open(project, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
