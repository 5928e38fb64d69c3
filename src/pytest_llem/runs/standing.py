"""The layers of a session or a command, read from where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.plan import standing

if TYPE_CHECKING:
    import pytest

    from pytest_llem.config.layers.standing import Standing


def standing_of(config: pytest.Config) -> Standing:
    """What holds for every experiment of this session.

    Raises:
        ConfigError: a file, a variable or the profile cannot be as it says.
    """
    return standing.standing_of(config, lambda: read_standing_of(config))


def read_standing_of(config: pytest.Config) -> Standing:
    """The same, read anew."""
    return standing_here(config.rootpath, config.getoption("llem_profile"))


def standing_here(project: Path | None = None, profile: str | None = None) -> Standing:
    """What holds in *project* (default: the current directory) on this machine.

    Raises:
        ConfigError: as above.
    """
    from pytest_llem.config.layers.standing import read_standing
    from pytest_llem.devices.names import accelerator_names

    return read_standing(project or Path.cwd(), os.environ, accelerator_names, profile)
