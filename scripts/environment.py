"""Makes and refreshes ``.venv``, the environment that every make target uses.

Nothing happens if it is up to date. It is made anew when the interpreter, the
place or the NVIDIA driver changed, and installed into again when
``pyproject.toml`` changed. Only the standard library, since it runs first.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TESTED_TORCH = "torch==2.13.0"
"""What machines without a driver get; elsewhere the extra decides."""
EXTRAS = ".[dev,transformers]"
STAMP = "llem-environment.json"
"""Says what was installed; written empty first, so that an interrupted build shows."""


def has_nvidia_driver(root: Path = Path("/")) -> bool:
    """Whether this machine has an NVIDIA driver, by any of the traces that one leaves."""
    return (
        (root / "proc/driver/nvidia").exists()
        or shutil.which("nvidia-smi") is not None
        or loads("libnvidia-ml.so.1")
    )


def loads(library: str) -> bool:
    """Whether the dynamic loader finds *library*."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def requirements(*, driver: bool) -> list[str]:
    """What pip is asked for: the project with its extras, and the tested torch if alone."""
    return ["--editable", EXTRAS] if driver else ["--editable", EXTRAS, TESTED_TORCH]


def fingerprint(project: Path, *, driver: bool) -> dict[str, str]:
    """What an environment depends on; one that differs in ``project`` only can be kept."""
    return {
        "python": f"{sys.version} in {sys.base_prefix}",
        "place": str(project),
        "requirements": " ".join(requirements(driver=driver)),
        "project": hashlib.sha256((project / "pyproject.toml").read_bytes()).hexdigest(),
    }


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


@contextlib.contextmanager
def locked(project: Path) -> Iterator[None]:
    """Keeps a second make in the same checkout waiting until this one has finished."""
    handle = os.open(project, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


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


def install(project: Path, venv: Path, *, driver: bool) -> None:
    """Asks pip, as it is configured here, for everything at once."""
    pip = [str(venv / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *requirements(driver=driver)], cwd=project, check=True)


def refresh(project: Path) -> None:
    """Brings ``.venv`` of the checkout *project* up to date."""
    driver = has_nvidia_driver()
    venv, wanted = project / ".venv", fingerprint(project, driver=driver)
    installed = read_stamp(venv)
    if installed == wanted:
        return
    found = "an NVIDIA driver" if driver else f"no NVIDIA driver, so {TESTED_TORCH}"
    print(f"Making {venv} with Python {sys.version.split()[0]} ({found}) ...", flush=True)
    if reusable(installed, wanted):
        write_stamp(venv, {})
    else:
        create(venv)
    install(project, venv, driver=driver)
    write_stamp(venv, wanted)


def main() -> None:
    project = Path(__file__).resolve().parent.parent
    try:
        with locked(project):
            refresh(project)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The environment is not complete: {error}")


if __name__ == "__main__":
    main()
