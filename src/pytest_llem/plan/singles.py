"""Points that are written out one by one, beside those that axes make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.leaves import leaf
from pytest_llem.config.problems import Problem
from pytest_llem.plan.axes import Choice, items_of, name_of, token_of_items
from pytest_llem.plan.rows import Row, extended
from pytest_llem.plan.tokens import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llem.plan.overrides import Overrides


def singles_of(
    given: Sequence[Mapping[str, Any]],
    overrides: Overrides,
    wanted: Callable[[str], bool] | None,
) -> tuple[list[Row], list[Problem]]:
    """A row for each mapping of fields, and what is wrong with them.

    Args:
        given: the mappings, as they were written.
        overrides: what options set instead, several engines multiplying the rows.
        wanted: whether an id is still of interest; ``None`` wants all.
    """
    written = [items_of(one) for one in given]
    problems = [one for found in written for one in found.values() if isinstance(one, Problem)]
    items = [
        found | {path: overrides.leaves[path] for path in found.keys() & overrides.leaves.keys()}
        for found in written
    ]
    tokens = distinct(
        [
            name_of(one) or token_of_items(found, index, named=True) or str(index)
            for index, (one, found) in enumerate(zip(given, items, strict=True))
        ]
    )
    rows = [Row(found, token) for found, token in zip(items, tokens, strict=True)]
    if len(overrides.backends) > 1:
        engines = [Choice({"backend": leaf("backend", one)}, one) for one in overrides.backends]
        rows = extended(rows, [engines], None)
    return [row for row in rows if wanted is None or wanted(row.id)], problems
