"""What a child's messages look like, so that nothing else gets past the supervisor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.isolation.channel import Message

    Check = Callable[[Any], bool]

LARGEST = 1 << 63


def _number(value: Any) -> bool:
    return type(value) in {int, float} and math.isfinite(value) and abs(value) < LARGEST


def _whole(value: Any) -> bool:
    return type(value) is int and abs(value) < LARGEST


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _recorded(value: Any) -> bool:
    from pytest_llem.energy.recorded import is_recorded

    return is_recorded(value)


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


FIELDS: dict[str, dict[str, Check]] = {
    "hello": {"version": _text, "pid": _whole},
    "phase": {"phase": _text, "index": _or_null(_whole), "count": _or_null(_whole)},
    "attempt": {},
    "begin": {},
    "await": {"question": _whole, "condition": _text, "since_ns": _whole, "least_s": _number},
    "passed": {"end_ns": _whole},
    "review": {"windows": lambda value: isinstance(value, list)},
    "measured": {"marks": _object},
    "engine": {"description": _object},
    "workload": {"description": _object},
    "recorded": {"metric": _recorded},
    "report": {"data": _object},
    "warning": {"data": _object},
    "uncollected": {"message": _text},
    "interrupted": {
        "reason": _text,
        "exits": lambda value: isinstance(value, bool),
        "status": _or_null(_whole),
    },
    "outcome": {
        "outcome": lambda value: value in ("passed", "failed", "skipped", "error"),
        "message": _or_null(_text),
    },
}
"""Every kind that a child sends, and its fields: all of them, and no other."""


def well_formed(message: Message) -> bool:
    """Whether *message* is one of a child's, with the fields that its kind has."""
    checks = FIELDS.get(message.kind) if _text(message.kind) else None
    if checks is None or checks.keys() != message.fields.keys():
        return False
    return all(check(message.fields[name]) for name, check in checks.items())
