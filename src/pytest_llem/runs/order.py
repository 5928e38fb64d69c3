"""The order of experiments: as collected, or shuffled anew in every round by one seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_llem.plan.collection import POINT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

Thing = TypeVar("Thing")


def ordered(things: Iterable[Thing], seed: int | None, round_number: int) -> list[Thing]:
    """*things* in the order of a round, which the seed decides; as given without one."""
    result = list(things)
    if seed is not None:
        random.Random(f"{seed}/{round_number}").shuffle(result)  # noqa: S311 - no secret
    return result


class FirstRound:
    """Gives the collected experiments the order of their first round; other tests stay in place."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        places = [place for place, item in enumerate(items) if POINT_KEY in item.stash]
        experiments = ordered((items[place] for place in places), self._seed, 0)
        for place, item in zip(places, experiments, strict=True):
            items[place] = item
