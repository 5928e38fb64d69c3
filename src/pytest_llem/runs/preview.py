"""Which baselines there are for experiments that have not run.

Where there are no baseline files at all, which is common in a preview, nothing is
imported to read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_llem.baselines.store import BaselineStore
    from pytest_llem.plan.point import Point

OPTION, DEFAULT = "llem_baselines", "baselines"


def baseline_states(config: pytest.Config, points: Sequence[Point]) -> Mapping[str, str]:
    """``have``, ``missing`` or ``unreadable`` for each of *points*, by identity."""
    given = config.getoption(OPTION)
    directory = config.invocation_params.dir / given if given else config.rootpath / DEFAULT
    if next(directory.rglob("*.json"), None) is None:
        return dict.fromkeys((point.identity for point in points), "missing")
    from pytest_llem.baselines.store import BaselineStore

    store = BaselineStore(directory)
    return {point.identity: _state(store, point) for point in points}


def _state(store: BaselineStore, point: Point) -> str:
    try:
        hardware = store.hardware_of(point.group, point.identity)
    except BaselineError:
        return "unreadable"
    return "have" if hardware else "missing"
