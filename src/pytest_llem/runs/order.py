"""The order of experiments: as collected, or shuffled anew in every round by one seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

import pytest

from pytest_llem.plan.collection import POINT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Thing = TypeVar("Thing")


def ordered(things: Iterable[Thing], seed: int | None, round_number: int) -> list[Thing]:
    """*things* in the order of a round, which the seed decides; as given without one."""
    result = list(things)
    if seed is not None:
        random.Random(f"{seed}/{round_number}").shuffle(result)  # noqa: S311 - no secret
    return result


def ordered_in_studies(
    things: Iterable[Thing], study_of: Callable[[Thing], tuple[str, int] | None], round_number: int
) -> list[Thing]:
    """*things* as given, but those of a study that has a seed in its own order of the round."""
    result = list(things)
    places: dict[tuple[str, int], list[int]] = {}
    for place, thing in enumerate(result):
        study = study_of(thing)
        if study is not None:
            places.setdefault(study, []).append(place)
    for (_, seed), own in places.items():
        members = ordered((result[place] for place in own), seed, round_number)
        for place, thing in zip(own, members, strict=True):
            result[place] = thing
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
