"""A child process plans a single point: its own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENT = "LLEM_CHILD_POINT"
ONLY_POINT = pytest.StashKey[str]()


def only_point(config: pytest.Config) -> str | None:
    """Node id of the single item to create, or ``None`` to create all.

    It is taken from ``config.stash[ONLY_POINT]``, else from the environment
    variable ``LLEM_CHILD_POINT``, JSON with the key ``nodeid``. The variable is
    removed, so that a pytest started by the test itself does not obey it.
    """
    if ONLY_POINT not in config.stash:
        text = os.environ.pop(ENVIRONMENT, "")
        if not text:
            return None
        config.stash[ONLY_POINT] = json.loads(text)["nodeid"]
    return config.stash[ONLY_POINT]


def wanted_id(only: str | None, function: str) -> str | None:
    """Parameter id of the single item among those of *function*; ``None`` if it has none."""
    if only is None or not only.startswith(function):
        return None
    rest = only.removeprefix(function)
    return rest[1:-1] if rest.startswith("[") and rest.endswith("]") else ""


def begins(beginning: str, wanted: str) -> bool:
    """Whether *wanted* is *beginning*, or goes on after it with another parameter."""
    return not beginning or wanted == beginning or wanted.startswith(f"{beginning}-")


class OnlyPoint:
    """Skips everything but one item, so that a child collects in no time."""

    def __init__(self, only: str) -> None:
        self._only = only

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(
        self, collector: pytest.Module | pytest.Class, name: str
    ) -> Sequence[pytest.Item] | None:
        here = f"{collector.nodeid}::{name}"
        if self._only == here or self._only.startswith((f"{here}[", f"{here}::")):
            return None
        return []
