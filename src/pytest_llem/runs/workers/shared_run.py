"""The one run of all workers of a session."""

from __future__ import annotations

import pytest

from pytest_llem.results.names import new_run_id, utc_now

RUN_ID = "llem_run"
"""Key of ``workerinput`` by which xdist's controller names the run to its workers."""
SHARED = pytest.StashKey[str]()


def shared_run_id(config: pytest.Config) -> str:
    """One name for the run of all workers of this session."""
    if SHARED not in config.stash:
        config.stash[SHARED] = new_run_id(utc_now())
    return config.stash[SHARED]
