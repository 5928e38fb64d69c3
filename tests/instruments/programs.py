"""Programs run to their end, and what Python in them shows."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

HELPERS = """
import dataclasses, json
from pytest_llem.errors import LlemError

def error(call, *arguments):
    try:
        call(*arguments)
    except LlemError as caught:
        return f"{type(caught).__name__}: {caught}"

def show(value):
    print(json.dumps(value, default=dataclasses.asdict))

"""
"""What code begins with that is run in a process of its own and shows what it found."""


def finished(
    command: Sequence[str | Path],
    environ: Mapping[str, str],
    *,
    directory: Path | None = None,
    timeout_s: float = 60,
) -> subprocess.CompletedProcess[str]:
    """*command* once it has ended, whatever its status, with all that it printed.

    Args:
        command: program and arguments.
        environ: all of its environment.
        directory: where it runs; here by default.
        timeout_s: how long it may take.
    """
    return subprocess.run(
        command,
        env=environ,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def shown(done: subprocess.CompletedProcess[str]) -> Any:
    """What a program printed on its last line, as JSON.

    Raises:
        AssertionError: it failed; the message is what it wrote to stderr.
    """
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])
