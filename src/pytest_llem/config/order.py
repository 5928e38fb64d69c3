"""Values that are another one once they were written and read again."""

from __future__ import annotations

import math
from typing import Any


def refuse_unstable(value: Any) -> Any:
    """*value*, which has no set anywhere, whose order is another in every process, and no infinity.

    The identity of an experiment would be another one, too.

    Raises:
        ValueError: it has one.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is nothing that JSON can say. Give a finite number.")
    if isinstance(value, set | frozenset):
        raise ValueError("a set has no order. Give a list.")  # noqa: TRY004 - pydantic wants it
    if isinstance(value, dict):
        for part in value.values():
            refuse_unstable(part)
    elif isinstance(value, list | tuple):
        for part in value:
            refuse_unstable(part)
    return value
