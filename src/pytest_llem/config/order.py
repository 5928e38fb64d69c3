"""Values whose parts come in an order of their own."""

from __future__ import annotations

from typing import Any


def refuse_sets(value: Any) -> Any:
    """*value*, which has no set anywhere: the order of a set is another in every process.

    The identity of an experiment would be another one, too.

    Raises:
        ValueError: it has one.
    """
    if isinstance(value, set | frozenset):
        raise ValueError("a set has no order. Give a list.")  # noqa: TRY004 - pydantic wants it
    if isinstance(value, dict):
        for part in value.values():
            refuse_sets(part)
    elif isinstance(value, list | tuple):
        for part in value:
            refuse_sets(part)
    return value
