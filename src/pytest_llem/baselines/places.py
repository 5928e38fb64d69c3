"""Where baseline files lie, below the directory of baselines."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pytest_llem.baselines.hardware import LONGEST
from pytest_llem.config.identity import digest


def relative_path(group: str, hardware: str) -> PurePosixPath:
    """Where the file of a group on a class of hardware lies below the baselines."""
    return group_path(group) / f"{hardware}.json"


def group_path(group: str) -> PurePosixPath:
    """Where the files of a group lie: ``bench/test_chat.py::test_chat`` in ``bench/test_chat/test_chat``."""
    parts = re.split(r"::|/", group.replace(".py::", "::"))
    return PurePosixPath(*(_file_name(part) for part in parts if part))


def _file_name(part: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", part).lstrip(".") or "-"
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 17]}-{digest(part)}"
