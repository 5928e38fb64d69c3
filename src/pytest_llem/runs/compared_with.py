"""What a run is compared with: which baselines, and what may differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.elsewhere import source_named
from pytest_llem.baselines.matching import policy
from pytest_llem.baselines.store import Baselines, BaselineStore

if TYPE_CHECKING:
    from pytest_llem.baselines.matching import Policy
    from pytest_llem.runs.settings import RunSettings


def compared_with(settings: RunSettings) -> Baselines:
    """The project's own baselines, or those that ``--llem-baseline-from`` names.

    Raises:
        BaselineError: there are none, and what was looked for.
    """
    if settings.baseline_from is None:
        return BaselineStore(settings.baselines)
    here = settings.invoked_from or settings.project
    return Baselines(source_named(settings.baseline_from, here, settings.baselines))


def policy_of(settings: RunSettings) -> Policy:
    """What the project configures of differences.

    Raises:
        ConfigError: it names a field that is none, or one that always has to match.
    """
    return policy(settings.baseline_table.match)
