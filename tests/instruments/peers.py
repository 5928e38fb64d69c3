"""Code run where the real Zeus and CodeCarbon are: in this environment, or in ``.venv-peers``."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_llem
from instruments.programs import HELPERS, finished, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
NONE = "Zeus and CodeCarbon are not installed; make peers installs them into .venv-peers"
PRELUDE = (
    HELPERS
    + """
import os, sys, time
from pytest_llem.devices.selection import MeterRequest, choose_meter

"""
)


@cache
def peers_python() -> str | None:
    """An interpreter with both; ``None`` if there is none."""
    if find_spec("zeus") and find_spec("codecarbon"):
        return sys.executable
    python = ROOT / ".venv-peers" / "bin" / "python"
    code = "import zeus, codecarbon"
    there = python.exists() and not subprocess.run([python, "-c", code], check=False).returncode
    return str(python) if there else None


def run_beside_peers(
    code: str, environ: Mapping[str, str] | None = None, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run *code* with our package and theirs; the test is skipped where they are missing.

    Args:
        code: what to run, after the helpers ``error`` and ``show``.
        environ: environment over this one's.
        options: further ones for the interpreter.
    """
    python = peers_python()
    if python is None:
        pytest.skip(NONE)
    source = str(Path(pytest_llem.__file__).parents[1])
    command = [python, *options, "-c", PRELUDE + code]
    return finished(command, {**os.environ, "PYTHONPATH": source, **(environ or {})})


def shown_beside_peers(code: str, environ: Mapping[str, str] | None = None) -> Any:
    """What *code* gives to ``show`` last.

    Raises:
        AssertionError: the code failed; the message is what it wrote to stderr.
    """
    return shown(run_beside_peers(code, environ))
