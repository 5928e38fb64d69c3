"""What workers are told when they start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.runs.options import runs_of
from pytest_llem.runs.refusals import hear_refusals
from pytest_llem.runs.resuming.asked import CHOSEN, resume_of
from pytest_llem.runs.workers.controller import hear_workers
from pytest_llem.runs.workers.place import PLACE, place_here
from pytest_llem.runs.workers.shared_run import RUN_ID, shared_run_id

if TYPE_CHECKING:
    import pytest


def told_to_workers(config: pytest.Config) -> dict[str, object]:
    """What all workers of this session have in their ``workerinput``: which run is theirs.

    Raises:
        ConfigError, StoreError: a run is to be resumed, and there is no such run.
    """
    hear_refusals(config)
    hear_workers(config)
    runs = runs_of(config)
    place = {PLACE: dict(place_here(config, runs))}
    resume = resume_of(config, runs)
    if resume is None:
        return {RUN_ID: shared_run_id(config), **place}
    return {**place, RUN_ID: resume.path.name, CHOSEN: [str(resume.path), resume.session]}
