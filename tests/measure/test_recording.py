"""What a test may record, and what becomes of it."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.energy.naming import MOST
from pytest_llem.energy.recorded import Recorded, is_recorded, pooled_figures
from pytest_llem.errors import ConfigError
from pytest_llem.measure.recording import recording

NUMBERS = st.floats(min_value=-1e6, max_value=1e6).map(lambda number: round(number, 6))
LISTS = st.lists(NUMBERS, min_size=2, max_size=40)


class Array:
    """What numpy's and torch's look like from here."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def tolist(self) -> Any:
        return self.content


def test_a_number_is_kept_as_it_is_and_taken_as_exact() -> None:
    found = recording("perplexity", 12.5)
    assert (found.value, found.uncertainty, found.items) == (12.5, None, None)
    assert found.metric == "quality.perplexity"
    assert recording("passed", True).value == 1.0


def test_right_and_wrong_answers_are_a_share_with_its_binomial_error() -> None:
    found = recording("accuracy", (number < 75 for number in range(100)))
    assert (found.value, found.items, found.share) == (0.75, 100, True)
    assert found.standard_error == pytest.approx(math.sqrt(0.75 * 0.25 / 99), rel=0.02)


@given(st.integers(1, 500))
def test_all_right_does_not_mean_that_nothing_could_be_wrong(items: int) -> None:
    found = recording("accuracy", [True] * items)
    assert found.value == 1.0
    assert 0.5 / items < (found.uncertainty or 0.0) < 6 / items


@given(LISTS.filter(lambda items: not set(items) <= {0.0, 1.0}))
def test_of_items_the_mean_and_its_standard_error_are_kept(items: list[float]) -> None:
    found = recording("anything", items)
    assert found.value == pytest.approx(statistics.fmean(items), abs=1e-9)
    assert found.standard_error == pytest.approx(
        statistics.stdev(items) / math.sqrt(len(items)), abs=1e-9
    )
    assert found.items == len(items)
    assert is_recorded(found.model_dump(mode="json"))


@given(st.lists(LISTS, min_size=1, max_size=5))
def test_several_processes_are_their_mean_and_no_surer_than_their_items(
    processes: list[list[float]],
) -> None:
    each = [(recording("anything", items),) for items in processes]
    (one,) = pooled_figures(each)
    assert one.value == pytest.approx(statistics.fmean(figure.value for (figure,) in each))
    least = min(figure.uncertainty or 0.0 for (figure,) in each)
    assert (one.uncertainty or 0.0) >= least * (1 - 1e-9)
    assert pooled_figures([*each, ()]) == ()


def test_processes_that_differ_say_how_sure_a_number_is() -> None:
    each = [(recording("score", value),) for value in (1.0, 2.0, 3.0)]
    (one,) = pooled_figures(each)
    assert one.value == 2.0
    assert one.uncertainty == pytest.approx(4.30265273 / math.sqrt(3))


def test_processes_that_agree_leave_a_number_exact() -> None:
    (one,) = pooled_figures([(recording("score", 0.1),), (recording("score", 0.1),)])
    assert (one.value, one.uncertainty) == (0.1, None)


def test_arrays_and_tensors_are_what_they_hold() -> None:
    assert recording("score", Array([1.0, 2.0])).value == 1.5
    assert recording("score", Array(2.0)).value == 2.0
    assert recording("score", [Array(1.0), Array(2.0)]).value == 1.5


def test_a_single_item_is_one_item() -> None:
    found = recording("score", [2.0])
    assert (found.items, found.standard_error, found.uncertainty) == (1, None, None)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("accuracy", True),
        ("mmlu.accuracy", True),
        ("pass_at_10", True),
        ("word_perplexity", False),
        ("WER", False),
        ("tokens_of_thought", None),
    ],
)
def test_what_is_better_goes_by_the_name_where_everybody_knows(
    name: str, better: bool | None
) -> None:
    assert recording(name, 0.5).higher_is_better is better
    assert recording(name, 0.5, higher_is_better=False).higher_is_better is False


@pytest.mark.parametrize(
    ("name", "value", "more", "said"),
    [
        ("accuracy", math.nan, {}, "nan is no result"),
        ("accuracy", [1.0, math.inf], {}, "item 1: inf is no result"),
        ("accuracy", [], {}, "got no values"),
        ("accuracy", None, {}, "None is no number"),
        ("accuracy", "0.7", {}, "'0.7' is no number"),
        ("accuracy", ["a" * 100], {}, "aaa… is no number"),
        ("accuracy", [[1.0]], {}, "a flat list"),
        ("accuracy", {"mmlu": 1.0}, {}, "such as accuracy.mmlu"),
        ("accuracy", 10**400, {}, "is no number"),
        ("accuracy", 1j, {}, "is no number"),
        ("accuracy", object(), {}, "is no number"),
        ("accuracy", [1e308, -1e308, 1e308], {}, "too large to be added"),
        ("pass@1", 0.5, {}, "pass_at_1 rather than pass@1"),
        ("", 0.5, {}, "a name has letters"),
        ("a\n", 0.5, {}, "a name has letters"),
        ("a" * 101, 0.5, {}, "no longer than 100"),
        (7, 0.5, {}, "a name is a text"),
        ("quality.taken", 0.5, {}, "already recorded 'taken'"),
        ("latency", 0.5, {"unit": "milli seconds"}, "is no unit"),
        ("latency", 0.5, {"unit": 3}, "is no unit"),
        ("latency", 0.5, {"higher_is_better": []}, "neither True nor False"),
        ("accuracy", [True, False], {"unit": "%"}, "the figure is a share"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_words(
    name: Any, value: Any, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        recording(name, value, taken={"taken"}, **more)
    assert said in str(refused.value)


def test_there_is_a_bound_on_how_many_figures_a_test_records() -> None:
    taken = {str(number) for number in range(MOST)}
    with pytest.raises(ConfigError, match="Record lists of items"):
        recording("one_more", 1.0, taken=taken)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.lists(st.floats())))
def test_anything_is_recorded_or_refused(value: Any) -> None:
    for name in (value, "accuracy"):
        try:
            found = recording(name, value)
        except ConfigError:
            continue
        assert Recorded.model_validate_json(found.model_dump_json()) == found
