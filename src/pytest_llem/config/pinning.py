"""The file of a workload, found and told by its content."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig


def pinned(values: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Values of a section with the path of its file made absolute, and its digest.

    A file that cannot be read is left without one: the experiment will say so.
    """
    path = values.get("path")
    if path is None:
        return dict(values)
    located = os.path.normpath(directory / expanded(path))
    sha256 = values.get("sha256") or digest_of_file(located)
    return {**values, "path": located, "sha256": sha256}


def pinned_config(config: ExperimentConfig, directory: Path) -> ExperimentConfig:
    """*config* with the file of its workload found in *directory*, unless it is absolute."""
    if config.workload.path is None:
        return config
    values = {"path": config.workload.path, "sha256": config.workload.sha256}
    workload = config.workload.model_copy(update=pinned(values, directory))
    return config.model_copy(update={"workload": workload})


def digest_of_file(path: str) -> str | None:
    """SHA-256 of a file's content, or ``None`` if it cannot be read."""
    try:
        facts = Path(path).stat()
    except (OSError, ValueError):  # or it has a null character
        return None
    if not stat.S_ISREG(facts.st_mode):  # a device may have no end
        return None
    return _digest(path, facts.st_mtime_ns, facts.st_size)


@cache
def _digest(path: str, _modified_ns: int, _size: int) -> str | None:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None
