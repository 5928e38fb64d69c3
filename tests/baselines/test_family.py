"""Holm's procedure over a family of which only a part is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.family import FAMILY_ALPHA, Hypothesis, decide
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.samples import Sample, Side

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pytest_llem.baselines.comparison import Comparison

P_VALUES = st.sampled_from([0.0, 1e-9, 1e-4, 0.0019, 0.002, 0.0049, 0.005, 0.01, 0.0101, 1.0]) | (
    st.floats(0, 0.02, allow_nan=False)
)
FAMILIES = st.lists(st.lists(P_VALUES, min_size=1, max_size=3), min_size=1, max_size=6)


def hypotheses(family: list[list[float]]) -> list[Hypothesis]:
    return [
        Hypothesis(str(number), p_value)
        for number, experiment in enumerate(family)
        for p_value in experiment
    ]


def test_a_complete_family_is_holm() -> None:
    # Of m = 4: 0.0025, 0.0033, 0.005 and 0.01 are the levels, step by step.
    decided = decide(hypotheses([[0.004], [0.0024], [0.0101], [0.0033]]), 0)
    assert decided.certain == {1, 3, 0}
    assert decided.certain == decided.possible
    assert decided.levels == (FAMILY_ALPHA / 4,) * 4


def test_comparisons_of_one_experiment_share_its_part() -> None:
    decided = decide(hypotheses([[0.0024, 0.0035], [1.0]]), 0)
    assert decided.certain == {0}
    assert decided.levels == (FAMILY_ALPHA / 4, FAMILY_ALPHA / 4, FAMILY_ALPHA / 2)


def test_a_part_of_a_family_decides_what_the_rest_cannot_change() -> None:
    decided = decide(hypotheses([[0.0005], [0.003], [0.02]]), 7)
    assert decided.certain == {0}
    assert decided.possible == {0, 1}
    assert [decided.decided(position) for position in range(3)] == [True, False, True]


@given(FAMILIES, st.data())
def test_what_is_decided_is_never_overturned(
    family: list[list[float]], data: st.DataObject
) -> None:
    known = data.draw(st.integers(0, len(family)))
    partial = decide(hypotheses(family[:known]), len(family) - known)
    complete = decide(hypotheses(family), 0)
    assert complete.certain == complete.possible
    for position in range(len(hypotheses(family[:known]))):
        if partial.decided(position):
            assert (position in partial.certain) == (position in complete.certain)


@given(FAMILIES, st.integers(0, 5))
def test_the_more_is_known_the_more_is_decided(family: list[list[float]], missing: int) -> None:
    fewer, more = decide(hypotheses(family), missing + 1), decide(hypotheses(family), missing)
    assert fewer.certain <= more.certain
    assert more.possible <= fewer.possible


@given(FAMILIES, st.integers(0, 3), st.randoms(use_true_random=False))
def test_order_does_not_matter(
    family: list[list[float]], missing: int, chance: random.Random
) -> None:
    ordered = hypotheses(family)
    places = list(range(len(ordered)))
    chance.shuffle(places)
    one = decide(ordered, missing)
    other = decide([ordered[place] for place in places], missing)
    p_values = sorted(ordered[place].p_value for place in one.certain)
    assert p_values == sorted(ordered[places[place]].p_value for place in other.certain)


@given(
    changes=st.lists(st.floats(-0.3, 0.6), min_size=1, max_size=6),
    data=st.data(),
)
def test_a_final_verdict_stays_when_the_family_completes(
    make_comparison: Callable[..., Comparison], changes: list[float], data: st.DataObject
) -> None:
    family = [
        make_comparison(
            Side(sessions=((Sample((0.4,)),),)),
            Side(sessions=((Sample((0.4 * (1 + change),)),),)),
            experiment=str(number),
        )
        for number, change in enumerate(changes)
    ]
    order = data.draw(st.permutations(family))
    complete = {one.experiment: made for one, made in zip(family, judge(family), strict=True)}
    assert all(made.final for made in complete.values())
    for known in range(len(order) + 1):
        partial = judge(order[:known], family_size=len(order))
        for one, made in zip(order[:known], partial, strict=True):
            if made.final:
                may_be = {"pass", "improved"} if made.verdict == "pass" else {made.verdict}
                assert complete[one.experiment].verdict in may_be
            else:
                assert made.verdict == "inconclusive"


def test_a_clear_regression_is_final_at_once_and_a_close_one_waits(
    make_comparison: Callable[..., Comparison],
) -> None:
    before = Side(sessions=((Sample((0.4,)),),))
    clear, close, fine = (
        make_comparison(before, Side(sessions=((Sample((0.4 * ratio,)),),)), experiment=str(ratio))
        for ratio in (1.8, 1.17, 0.93)
    )
    first = judge([clear, close, fine], family_size=100)
    assert [made.verdict for made in first] == ["regressed", "inconclusive", "pass"]
    assert [made.final for made in first] == [True, False, True]
    assert judge([clear, close, fine])[1].verdict == "regressed"
