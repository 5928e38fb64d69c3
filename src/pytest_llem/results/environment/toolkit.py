"""The CUDA toolkit that is installed, by the file it keeps about itself; nothing is run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VARIABLES = ("CUDA_HOME", "CUDA_PATH")
_USUAL = "usr/local/cuda"


def cuda_toolkit_version(system: Path, environ: Mapping[str, str]) -> str | None:
    """Version of the toolkit that ``CUDA_HOME`` names, else of the one in its usual place.

    Engines bring CUDA libraries of their own; this one compiles what they compile at run time.
    """
    for folder in (*(environ.get(name) for name in _VARIABLES), _USUAL):
        if folder and (found := _version(system / folder.lstrip("/"))):
            return found
    return None


def _version(folder: Path) -> str | None:
    about, older = folder / "version.json", folder / "version.txt"  # the latter until CUDA 11.0
    if about.is_file():
        said = json.loads(about.read_text()).get("cuda", {}).get("version")
        return said if isinstance(said, str) else None
    if older.is_file() and (match := re.search(r"\d+(\.\d+)+", older.read_text())):
        return match[0]
    return None
