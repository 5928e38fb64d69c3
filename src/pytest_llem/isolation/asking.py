"""Asking another program: its answer, or why there is none."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def answer(
    command: Sequence[str],
    timeout_s: float | None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What *command* prints, with nothing to read, and its status.

    Args:
        command: program and arguments.
        timeout_s: how long it may take; ``None`` for ever.
        directory: where it runs; ``None`` is here.
        environment: all its variables; ``None`` are those of this process.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it takes longer, and was killed.
    """
    return subprocess.run(  # noqa: S603 - what the callers were configured to ask
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
