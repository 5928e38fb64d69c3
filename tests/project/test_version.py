"""One version, wherever it is said."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest_llem

if TYPE_CHECKING:
    from pathlib import Path


def test_the_package_says_the_version_of_the_project(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    assert pytest_llem.__version__ == project["version"]
