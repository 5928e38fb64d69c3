"""What holds for every experiment of a session, and how children are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.config.layers.standing import Standing

WORKER_INPUT = "llem_standing"
"""Key of a child's ``workerinput``: the files of a user are not in its container."""
STANDING = pytest.StashKey["Standing"]()


def standing_of(config: pytest.Config, read: Callable[[], Standing]) -> Standing:
    """What holds in this session: as a child was told, else as it is *read*, once.

    Raises:
        ConfigError: a file or a variable says what cannot be.
    """
    if STANDING not in config.stash:
        said = getattr(config, "workerinput", {}).get(WORKER_INPUT)
        config.stash[STANDING] = read() if said is None else _heard(said)
    return config.stash[STANDING]


def worker_input_of(config: pytest.Config) -> dict[str, Any]:
    """What a child is to be told; nothing if it was not asked for here."""
    standing = config.stash.get(STANDING, None)
    if standing is None:
        return {}
    from pytest_llem.config.layers.standing import told

    return {WORKER_INPUT: told(standing.layers)}


def _heard(said: dict[str, Any]) -> Standing:
    from pytest_llem.config.layers.standing import Standing, heard

    return Standing(heard(said))
