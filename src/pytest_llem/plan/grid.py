"""``@llem.grid``: the points of an experiment in one decorator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Grid:
    """Axes as they were written, carried by a mark until the tests are generated."""

    axes: Mapping[str, Any]
    """Values to cross by field; a list of mappings under a name of its own sets several fields
    together."""
    exclude: tuple[Mapping[str, Any], ...] = ()
    """Combinations that are left out: values by field, a list meaning any of them."""
    experiments: tuple[Mapping[str, Any], ...] = ()
    """Further points, beside those that the axes make."""


def grid(**axes: Any) -> pytest.MarkDecorator:
    """Cross values of an experiment's fields: one parametrization for all of them.

    A list (or tuple, or range) is an axis and any other value is a single
    point. A section of options takes a mapping, whose lists are axes too; the
    options of an engine are crossed only with that engine::

        @llem.grid(
            backend=["transformers", "vllm"],
            batch_size=[1, 8],
            vllm={"max_num_seqs": [64, 256], "enforce_eager": True},
        )
        def test_chat(energy, model, batch_size): ...

    Six points: two of transformers, four of vLLM. Arguments that the function
    takes receive the effective value. It decorates functions and classes,
    stands in ``pytestmark``, and combines with ``parametrize``; of two grids
    with the same axis the closer one counts.

    Field names and values are checked when tests are collected.
    """
    decorator: pytest.MarkDecorator = pytest.mark.llem.with_args(Grid(axes))
    return decorator


def values_of_axis(field: str, given: Any) -> list[Any] | None:
    """The values of an axis, or ``None`` if *given* is a single value.

    ``prompts`` is a list of texts by itself, so an axis of it is a list of lists.

    Raises:
        ValueError: *given* has no order that is the same in every process, or no values.
    """
    if isinstance(given, set | frozenset):
        raise ValueError("is a set, which has no order. Write a list.")  # noqa: TRY004
    if isinstance(given, str | bytes | Mapping):
        return None
    if not isinstance(given, Sequence):
        if hasattr(given, "__next__"):
            raise ValueError("can be read only once. Write a list.")
        return None
    if field == "prompts" and given and all(isinstance(value, str) for value in given):
        return None
    if not given:
        raise ValueError("is an axis without values. Give at least one.")
    return list(given)
