"""Rounds of two sides: who goes first, what both have, when it is judged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.errors import ConfigError, IsolationError
from pytest_llem.runs.ab.comparing import Asked
from pytest_llem.runs.ab.place import Collected
from pytest_llem.runs.ab.rounds import Pair, Round, measure_round, planned
from pytest_llem.runs.ab.side import Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Bench:
    """A place whose experiments always pass, but for *broken* ones."""

    def __init__(
        self,
        name: str,
        order: list[str],
        experiments: Mapping[str, Sequence[str]],
        broken: str = "",
    ) -> None:
        self.side = Side(name)
        self._order, self._experiments, self._broken = order, experiments, broken

    def start(self, tests: Sequence[str]) -> None:
        pass

    def collected(self) -> Collected:
        return Collected(Path(), self._experiments, strict=False, match={}, single=False)

    def measure(self, node_id: str, number: int, show: object) -> Any:
        self._order.append(f"{node_id}{self.side.name}{number}")
        if node_id == self._broken:
            raise IsolationError("it is broken")
        return SimpleNamespace(result=SimpleNamespace(outcome="passed", message=None))


class Silence:
    def say(self, text: str) -> None:
        pass

    def ended(self, name: str) -> None:
        pass

    def watch(self, name: str) -> None:
        return None


def benches(
    a: Mapping[str, Sequence[str]], b: Mapping[str, Sequence[str]], broken: str = ""
) -> Any:
    order: list[str] = []
    return Bench("a", order, a), Bench("b", order, b, broken), order


def test_sides_of_a_round_lie_side_by_side_and_each_begins_as_often() -> None:
    a, b, order = benches({}, {})
    pairs = [Pair("x"), Pair("y")]
    for number in range(2):
        measure_round(pairs, a, b, Round(number, ""), Silence())
    assert order == ["xa0", "xb0", "yb0", "ya0", "xb1", "xa1", "ya1", "yb1"]
    assert [pair.rounds for pair in pairs] == [2, 2]


def test_what_fails_on_one_side_is_not_run_again_and_the_others_go_on() -> None:
    a, b, order = benches({}, {}, broken="x")
    pairs = [Pair("x"), Pair("y")]
    for number in range(2):
        measure_round(pairs, a, b, Round(number, ""), Silence())
    assert order == ["xa0", "xb0", "yb0", "ya0", "ya1", "yb1"]
    assert pairs[0].problem == "it is broken"
    assert not pairs[0].is_measured
    assert pairs[1].rounds == 2


def test_gates_are_those_of_side_b_and_a_difference_is_told() -> None:
    a, b, _ = benches({"x": ["ttft_s:5%"], "y": [], "only": []}, {"y": [], "x": ["ttft_s:9%"]})
    plan = planned(a, b, ())
    assert [(pair.node_id, pair.gates) for pair in plan.pairs] == [("x", ("ttft_s:9%",)), ("y", ())]
    assert plan.only == {"a": ["only"], "b": []}
    assert plan.notes == ("gates of x are declared otherwise on side a; those of side b hold",)


def test_sides_that_have_nothing_in_common_are_refused() -> None:
    a, b, _ = benches({"x": []}, {"y": []})
    with pytest.raises(ConfigError, match="side a has 1 experiment, side b has 1 experiment, none"):
        planned(a, b, ())


@pytest.mark.parametrize(
    ("rounds", "most", "gated", "looks"),
    [
        (None, None, True, (4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20)),
        (None, None, False, (5,)),
        (3, None, True, (3,)),
        (None, 6, True, (4, 5, 6)),
        (None, 2, True, (2,)),
        (5, 6, True, (5, 6)),
    ],
)
def test_rounds_begin_with_few_and_end_at_the_most_that_was_asked_for(
    rounds: int | None, most: int | None, gated: bool, looks: tuple[int, ...]
) -> None:
    asked = Asked(Side("a"), Side("b"), rounds=rounds, max_repeats=most)
    assert asked.looks(gated=gated).processes == looks


@pytest.mark.parametrize(("rounds", "gated"), [(8, True), (None, False)])
def test_a_most_that_makes_no_sense_is_refused(rounds: int | None, gated: bool) -> None:
    with pytest.raises(ConfigError, match="--max-repeats=7"):
        Asked(Side("a"), Side("b"), rounds=rounds, max_repeats=7).looks(gated=gated)
