"""TensorRT-LLM's own objects as JSON's types."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """*value* as JSON's types; models, data classes and members of enumerations included."""
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, set | frozenset):
        return sorted(plain(one) for one in value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    members = _members(value)
    return str(value) if members is None else {str(k): plain(one) for k, one in members.items()}


def _members(value: Any) -> dict[Any, Any] | None:
    """What a mapping or an object with known fields consists of."""
    if isinstance(value, dict):
        return value
    if hasattr(value, "model_dump"):
        return dict(value.model_dump())
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None
