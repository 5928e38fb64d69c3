from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.leaves import Leaf, leaf
from pytest_llem.plan.grid import values_of_axis
from pytest_llem.plan.only import begins
from pytest_llem.plan.rows import Row, axes_of, rows_of

ENGINES = ["transformers", "vllm", "tensorrt_llm"]
COUNTS = st.lists(st.integers(1, 99), min_size=1, max_size=3)
GRIDS = st.fixed_dictionaries(
    {"backend": st.lists(st.sampled_from(ENGINES), min_size=1, max_size=3, unique=True)},
    optional={
        "batch_size": COUNTS,
        "model": st.lists(st.text("ab-/", min_size=1, max_size=4), min_size=1, max_size=3),
        "vllm.max_num_seqs": COUNTS,
        "vllm.enforce_eager": st.just([False, True]),
        "tensorrt_llm.max_batch_size": COUNTS,
    },
)


def rows(given: dict[str, Any], backend: str | None = "transformers") -> list[Row]:
    return rows_of(axes_of(given, {}), backend, None)


@given(GRIDS)
def test_ids_tell_all_rows_apart(given: dict[str, Any]) -> None:
    ids = [row.id for row in rows(given)]
    assert len(set(ids)) == len(ids)
    assert all(text.isascii() and text.isprintable() for text in ids)


@given(GRIDS)
def test_options_are_crossed_only_with_their_own_engine(given: dict[str, Any]) -> None:
    expected = 0
    for backend in given["backend"]:
        points = len(given.get("batch_size", [1])) * len(given.get("model", [1]))
        for path, values in given.items():
            if path.startswith(f"{backend}."):
                points *= len(values)
        expected += points
    made = rows(given)
    assert len(made) == expected
    for row in made:
        backend_leaf = row.items["backend"]
        assert isinstance(backend_leaf, Leaf)
        foreign = [path for path in row.items if path.partition(".")[0] in ENGINES]
        assert all(path.startswith(f"{backend_leaf.value}.") for path in foreign)


@given(GRIDS, st.data())
def test_looking_for_one_row_finds_exactly_that_one(
    given: dict[str, Any], data: st.DataObject
) -> None:
    axes = axes_of(given, {})
    wanted = data.draw(st.sampled_from(rows_of(axes, None, None)))
    found = rows_of(axes, None, lambda beginning: begins(beginning, wanted.id))
    assert wanted.id in [row.id for row in found]
    (same,) = [row for row in found if row.id == wanted.id]
    assert same.items.keys() == wanted.items.keys()
    assert all(same.items[path] is item for path, item in wanted.items.items())


def test_rows_come_in_the_order_they_are_written() -> None:
    assert [row.id for row in rows({"dtype": ["float16", "auto"], "batch_size": [8, 1]})] == [
        "float16-8",
        "float16-1",
        "auto-8",
        "auto-1",
    ]


def test_options_carry_their_name_in_the_id() -> None:
    made = rows({"vllm.gpu_memory_utilization": [0.5, 0.90]}, backend="vllm")
    assert [row.id for row in made] == [
        "vllm.gpu_memory_utilization=0.5",
        "vllm.gpu_memory_utilization=0.9",
    ]


def test_a_backend_that_varies_elsewhere_gets_rows_for_each_engine_and_for_the_others() -> None:
    made = rows({"batch_size": [1], "vllm.max_num_seqs": [2, 3]}, backend=None)
    assert [(row.engine, row.id) for row in made] == [
        (None, "1"),
        ("vllm", "1-vllm.max_num_seqs=2"),
        ("vllm", "1-vllm.max_num_seqs=3"),
    ]


def test_an_overridden_axis_has_one_value() -> None:
    four = leaf("batch_size", 4)
    assert isinstance(four, Leaf)
    axes = axes_of({"batch_size": [1, 8], "seed": [0, 1]}, {"batch_size": four})
    assert [row.id for row in rows_of(axes, "transformers", None)] == ["4-0", "4-1"]


def test_single_values_are_held_and_not_named() -> None:
    axes = axes_of({"batch_size": 8, "dtype": "float16", "prompts": ["a", "b"]}, {})
    assert {path: item.plain for path, item in axes.fixed.items()} == {
        "batch_size": 8,
        "dtype": "float16",
        "prompts": ["a", "b"],
    }
    assert [row.id for row in rows_of(axes, "transformers", None)] == [""]


@pytest.mark.parametrize(
    ("field", "given", "values"),
    [
        ("batch_size", [1, 8], [1, 8]),
        ("batch_size", (1, 8), [1, 8]),
        ("batch_size", range(3), [0, 1, 2]),
        ("batch_size", 8, None),
        ("model", "abc", None),
        ("vllm.extra", {"a": [1]}, None),
        ("prompts", ["a", "b"], None),
        ("prompts", [["a"], ["b"]], [["a"], ["b"]]),
        ("prompts", [None, ["b"]], [None, ["b"]]),
    ],
)
def test_a_list_is_an_axis_and_anything_else_one_value(
    field: str, given: Any, values: list[Any] | None
) -> None:
    assert values_of_axis(field, given) == values


@pytest.mark.parametrize(
    ("given", "why"), [({1, 2}, "no order"), ([], "without values"), (iter([1]), "only once")]
)
def test_an_axis_without_a_stable_order_or_values_is_refused(given: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        values_of_axis("batch_size", given)
