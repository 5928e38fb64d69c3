"""Which tests are experiments: a plugin that writes their node ids into a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.plan.collection import POINT_KEY

if TYPE_CHECKING:
    import pytest

VARIABLE = "LLEM_LIST_EXPERIMENTS"
"""Names the file."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write what node ids are relative to, and those of the experiments, in their order."""
    found = []
    for item in session.items:
        point = item.stash.get(POINT_KEY, None)
        if point is not None and point.config is not None:
            found.append(item.nodeid)
    said = {"root": str(session.config.rootpath), "experiments": found}
    Path(os.environ[VARIABLE]).write_text(json.dumps(said), encoding="utf-8")
