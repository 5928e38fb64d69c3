"""What runs of pytest print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def text_of(result: pytest.RunResult) -> str:
    """Standard output and standard error of a run."""
    return f"{result.stdout.str()}\n{result.stderr.str()}"
