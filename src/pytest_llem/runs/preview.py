"""Which baselines there are for experiments that have not run.

Where there are no baseline files at all, which is common in a preview, nothing is
imported to read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import BaselineError, ConfigError
from pytest_llem.plan.outlook import Outlook
from pytest_llem.runs.fitting import fits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_llem.baselines.store import Baselines
    from pytest_llem.plan.point import Point

OPTION, DEFAULT = "llem_baselines", "baselines"


def outlook(config: pytest.Config) -> Outlook:
    """What is known of this session's experiments before they are run.

    Raises:
        pytest.UsageError: an option makes no sense.
    """
    import pytest

    try:
        tells = fits(config.getoption("llem_device_memory"))
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    return Outlook(lambda points: baseline_states(config, points), tells)


def baseline_states(config: pytest.Config, points: Sequence[Point]) -> Mapping[str, str]:
    """``have``, ``missing`` or ``unreadable`` for each of *points*, by identity."""
    given = config.getoption(OPTION)
    directory = config.invocation_params.dir / given if given else config.rootpath / DEFAULT
    if (elsewhere := config.getoption("llem_baseline_from")) is not None:
        return _states_elsewhere(elsewhere, config.invocation_params.dir, directory, points)
    if next(directory.rglob("*.json"), None) is None:
        return dict.fromkeys((point.identity for point in points), "missing")
    from pytest_llem.baselines.store import BaselineStore

    store = BaselineStore(directory)
    return {point.identity: _state(store, point) for point in points}


def _states_elsewhere(
    where: str, here: Path, directory: Path, points: Sequence[Point]
) -> Mapping[str, str]:
    import pytest

    from pytest_llem.baselines.elsewhere import source_named
    from pytest_llem.baselines.store import Baselines

    try:
        store = Baselines(source_named(where, here, directory))
    except BaselineError as error:
        raise pytest.UsageError(str(error)) from None
    return {point.identity: _state(store, point) for point in points}


def _state(store: Baselines, point: Point) -> str:
    try:
        hardware = store.hardware_of(point.group, point.identity)
    except BaselineError:
        return "unreadable"
    return "have" if hardware else "missing"
