"""Where two sets of figures differ, field by field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

ROUNDING = 1e-9
"""Relative difference that another order of additions may cause, and no change of figures."""


def differences(stored: BaseModel, fresh: BaseModel) -> tuple[str, ...]:
    """One line a field that differs by more than rounding: where, and both values."""
    return tuple(_walk("", stored.model_dump(mode="json"), fresh.model_dump(mode="json")))


def _walk(path: str, stored: Any, fresh: Any) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(fresh, dict):
        for name in dict.fromkeys([*stored, *fresh]):
            yield from _walk(
                f"{path}.{name}".lstrip("."), stored.get(name, "absent"), fresh.get(name, "absent")
            )
    elif isinstance(stored, list) and isinstance(fresh, list) and len(stored) == len(fresh):
        for index, pair in enumerate(zip(stored, fresh, strict=True)):
            yield from _walk(f"{path}[{index}]", *pair)
    elif not _same(stored, fresh):
        yield f"{path}: stored {stored!r}, recomputed {fresh!r}"


def _same(stored: Any, fresh: Any) -> bool:
    if isinstance(stored, float) and isinstance(fresh, float):
        return math.isclose(stored, fresh, rel_tol=ROUNDING)
    return bool(stored == fresh)
