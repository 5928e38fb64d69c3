"""JSON that people review: stable order, few lines, numbers that do not flicker."""

from __future__ import annotations

import json
from typing import Any

SIGNIFICANT_DIGITS = 6
"""Far below any noise, and enough to see every change that matters."""
WIDTH = 100
_INDENT = "  "


def render(value: Any, depth: int = 0) -> str:
    """*value* as JSON with sorted keys and numbers rounded to six significant digits.

    What holds only plain values stays on one line where it fits, so that a process's
    windows are a line and a diff shows whole facts. Rendering what was read back from
    a rendering gives the same text.
    """
    value = _rounded(value)
    return _text(value, depth)


def _text(value: Any, depth: int, used: int = 0) -> str:
    if not isinstance(value, dict | list) or not value:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    line = _one_line(value)
    if line is not None and len(_INDENT * depth) + used + len(line) < WIDTH:
        return line
    inner = _INDENT * (depth + 1)
    if isinstance(value, dict):
        keys = ((f"{json.dumps(key, ensure_ascii=False)}: ", value[key]) for key in sorted(value))
        rows = [key + _text(item, depth + 1, len(key) + 1) for key, item in keys]
    else:
        rows = [_text(item, depth + 1, 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    body = ",\n".join(inner + row for row in rows)
    return f"{opening}\n{body}\n{_INDENT * depth}{closing}"


def _one_line(value: dict[str, Any] | list[Any]) -> str | None:
    items = value.values() if isinstance(value, dict) else value
    if any(isinstance(item, dict | list) and item for item in items):
        return None
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return _whole(float(f"{value:.{SIGNIFICANT_DIGITS}g}"))
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def _whole(value: float) -> float:
    return 0.0 if value == 0 else value  # no -0.0, which would only differ from 0.0 to the eye
