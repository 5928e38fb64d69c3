"""From pytest's options to the run that is taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.results.store import RunStore
from pytest_llem.runs.resuming.choosing import run_to_resume
from pytest_llem.runs.settings import Resume

if TYPE_CHECKING:
    from pytest_llem.results.manifest import Manifest

CHOSEN = "llem_resumes"
"""Key of ``workerinput`` by which xdist's controller tells its workers the run and the session."""
RESUME = pytest.StashKey[Resume | None]()


def resume_of(config: pytest.Config, root: Path) -> Resume | None:
    """The run in *root* to go on with, chosen once for a session and all its workers.

    Raises:
        ConfigError: there is none, or it is not clear which.
        StoreError: it is in use, or cannot be read.
    """
    asked = config.getoption("llem_resume")
    if asked is None:
        return None
    if RESUME not in config.stash:
        worker = getattr(config, "workerinput", {})
        anyway = config.getoption("llem_resume_anyway")
        if CHOSEN in worker:
            path, session = worker[CHOSEN]
            config.stash[RESUME] = Resume(Path(path), session, anyway)
        else:
            path = run_to_resume(root, asked, config.invocation_params.dir).path
            config.stash[RESUME] = Resume(path, anyway=anyway)
    return config.stash[RESUME]


def manifest_of(resume: Resume) -> Manifest:
    """The manifest of the run that goes on.

    Raises:
        StoreError: it cannot be read.
    """
    return RunStore.open(resume.path).manifest()
