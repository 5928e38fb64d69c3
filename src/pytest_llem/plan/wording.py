"""Words, lists and paragraphs of a plan, as wide as a terminal is."""

from __future__ import annotations

import textwrap
from typing import Any

from pytest_llem.plan.tokens import token_of

INDENT = "  "


def counted(number: int, noun: str) -> str:
    """``1 point``, ``2 points``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def note_value(seen: dict[str, dict[Any, str]], path: str, value: Any) -> None:
    """Add a value to those *seen* of a path, by what is shown of it."""
    if path not in seen:
        seen[path] = {}
    try:
        if value in seen[path]:
            return
    except TypeError:  # a list or a mapping
        value = token_of(value)
    text = str(value)
    seen[path].setdefault(value, text if text.isprintable() else ascii(text)[1:-1])


def values_line(name: str, values: list[str], width: int) -> str:
    """One line with as many values as fit, and their number if they do not."""
    start = f"{INDENT}{name}  "
    whole = start + ", ".join(values)
    if len(whole) <= width:
        return whole
    end = f", ... ({len(values)} values)"
    shown = start + _cut(values[0], width - len(start) - len(end))
    for value in values[1:]:
        if len(shown) + 2 + len(value) + len(end) > width:
            break
        shown += f", {value}"
    return shown + (end if len(values) > 1 else "")


def _cut(text: str, width: int) -> str:
    width = max(width, 8)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def paragraph(text: str, width: int, *, indent: str = INDENT, cut: bool = True) -> list[str]:
    """*text* in lines, words that are too long cut or not."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=cut,
        break_on_hyphens=False,
    )
