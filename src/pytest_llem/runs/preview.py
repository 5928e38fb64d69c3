"""Which baselines there are for experiments that have not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.baselines.store import BaselineStore
from pytest_llem.errors import BaselineError
from pytest_llem.runs.options import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pytest

    from pytest_llem.plan.point import Point


def baseline_states(config: pytest.Config, points: Sequence[Point]) -> Mapping[str, str]:
    """``have``, ``missing`` or ``unreadable`` for each of *points*, by identity."""
    store = BaselineStore(settings_of(config).baselines)
    return {point.identity: _state(store, point) for point in points}


def _state(store: BaselineStore, point: Point) -> str:
    try:
        hardware = store.hardware_of(point.group, point.identity)
    except BaselineError:
        return "unreadable"
    return "have" if hardware else "missing"
