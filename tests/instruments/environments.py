"""Other environments, made in no time: a venv whose packages are links to ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_llem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOT_NEEDED = frozenset({"scipy", "numpy", "pyarrow", "typer", "rich"})
"""What a child that measures a function never imports."""


def lean_environment(folder: Path, more: Iterable[str] = (), without: Iterable[str] = ()) -> Path:
    """The interpreter of a new venv that has pytest-llem and *more*, and what they need.

    It has no other plugins of pytest than those named.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    left_out = {*NOT_NEEDED, *without}
    wanted = _needed("pytest-llem", left_out)
    for name in more:
        wanted |= _needed(name, {*without})
    for name in wanted:
        _link(name, site)
    return folder / "bin" / "python"


def other_version(python: Path, version: str) -> None:
    """Make the pytest-llem of an environment another version."""
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    package = site / "pytest_llem"
    package.unlink()
    original = Path(pytest_llem.__file__).parent
    shutil.copytree(original, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "_version.py").write_text(f"__version__ = {version!r}\n")


def add_engine(python: Path, name: str) -> None:
    """Give an environment an engine that only it has: that of transformers by another *name*."""
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    (site / f"{name}.py").write_text(
        "from pytest_llem.engines.transformers import TransformersEngine\n\n\n"
        f"class Engine(TransformersEngine):\n    name = {name!r}\n"
    )
    info = site / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[pytest_llem.engines]\n{name} = {name}:Engine\n")


def other_pythons() -> Iterator[str]:
    """Interpreters of other minor versions on this machine that pytest-llem supports."""
    for minor in range(11, 20):
        found = shutil.which(f"python3.{minor}")
        if minor == sys.version_info.minor or found is None:
            continue
        works = subprocess.run([found, "-c", "import venv"], capture_output=True, check=False)
        if not works.returncode:
            yield found


def _needed(name: str, left_out: set[str]) -> set[str]:
    """*name* and what it requires without extras, as far as it is installed."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found | left_out:
            continue
        found.add(name)
        plain = [needed for needed in _requirements(name) if "extra ==" not in needed]
        waiting.extend(re.split(r"[^\w.-]", needed, maxsplit=1)[0] for needed in plain)
    return found


def _requirements(name: str) -> list[str]:
    try:
        return metadata.distribution(name).requires or []
    except metadata.PackageNotFoundError:
        return []  # for another system


def _link(name: str, site: Path) -> None:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        source = Path(str(distribution.locate_file(top)))
        if source.exists() and not top.endswith(".pth"):
            (site / top).symlink_to(source)
    if name == "pytest-llem" and not (site / "pytest_llem").exists():  # installed editable
        (site / "pytest_llem").symlink_to(Path(pytest_llem.__file__).parent)
