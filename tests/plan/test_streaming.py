"""Grids that are counted rather than collected."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pytest_llem.config.identity import identity_hash
from pytest_llem.errors import ConfigError
from pytest_llem.plan.streaming import GridStream, tally

if TYPE_CHECKING:
    from conftest import Inner

AXES = {
    "batch_size": [1, 0, 8],
    "backend": ["transformers", "vllm"],
    "vllm": {"max_num_seqs": [64, 256], "max_model_len": 100},
    "dtype": "float16",
}


def test_a_stream_has_the_points_that_a_collection_has(inner: Inner) -> None:
    collected = inner.collect(
        f"from pytest_llem import llem\n@llem.grid(**{AXES})\ndef test_it(energy, model): pass",
        "--llem-dry-run",
    )
    streamed = list(GridStream("test_it.py::test_it", AXES))
    assert [f"test_it[{point.label}]" for point in streamed] == collected.names
    for point in streamed:
        other = collected[f"test_it[{point.label}]"]
        assert (point.identity, point.invalid, point.config) == (
            other.identity,
            other.invalid,
            other.config,
        )


def test_a_tally_counts_what_is_invalid_and_what_is_repeated() -> None:
    found = tally(GridStream("study", {"batch_size": [1, 0, 2, 1], "seed": [1, 2]}))
    assert (found.points, found.valid, found.repeated) == (8, 6, 2)
    assert list(found.invalid.values()) == [2]
    assert found.first is not None
    assert found.first.startswith("study[1")


def test_an_impossible_axis_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'batch_size'"):
        GridStream("study", {"batch_sise": [1]})


def test_points_are_not_kept() -> None:
    axes = {"batch_size": range(1, 101), "input_tokens": range(1, 201)}
    points = iter(GridStream("study", axes))
    first = next(points)
    assert first.config is not None
    assert first.identity == identity_hash(first.config)
    gc.collect()
    tracemalloc.start()
    for _ in points:
        pass
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
