"""Foreign words in Markdown: whatever a name or a message holds, it is shown and does nothing.

Structure cannot come from character references (CommonMark 0.31.2, 2.5), so what Markdown would
take for its own is written as one. GitHub makes links of ``@name``, ``#1`` and addresses once that
is done, but not in code; elsewhere a space of no width keeps it from doing so.
"""

from __future__ import annotations

import re

from pytest_llem.reports import text
from pytest_llem.reports.text import cut_middle

LONGEST_NAME = 240
LONGEST_PROSE = 1500
NO_WIDTH = "\u200b"
_MARKUP = re.compile(r"[&<>|\\`*_\[\]~$\u200b]")
_LINKED = re.compile(
    r"[@#](?=\w)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)|:(?=[\w+-]*[a-z_+-][\w+-]*:)", re.IGNORECASE
)
"""Mentions, issues, addresses and emoji, up to where they can be cut in two."""
_ITEM = re.compile(r"^(\d+)([.)])")
_BACKTICKS = re.compile(r"`+")
_RULE = "---"


def prose(words: str) -> str:
    """*words* within a line of Markdown, also in a cell of a table; they are shown as they are.

    Line breaks are spaces, and what would move a cursor is escaped, as in the terminal. Very long
    texts are cut in the middle.
    """
    shown = _shown(words, LONGEST_PROSE)
    cut = _LINKED.sub(lambda found: found[0] + NO_WIDTH, shown)
    return _begun(_MARKUP.sub(lambda found: _reference(found[0]), cut))


def _begun(escaped: str) -> str:
    """*escaped*, of which nothing is a heading, a list or a rule though it begins a line."""
    if escaped and not escaped[0].isalnum() and escaped[0] != "&":
        return _reference(escaped[0]) + escaped[1:]
    return _ITEM.sub(lambda found: found[1] + _reference(found[2]), escaped)


def code(words: str, *, in_cell: bool = False) -> str:
    """*words* as code: a name, a metric, a command that fits into a line.

    Args:
        words: what may hold anything.
        in_cell: whether it stands in a table, where a ``|`` ends a cell even in code.
    """
    shown = _shown(words, LONGEST_NAME)
    if not shown:
        return _RULE[0]
    if not in_cell:
        return _span(shown)
    # Readers of tables disagree about what the second backslash of "\\|" is for.
    return "<!-- -->".join(
        _span(part).replace("|", "\\|") for part in re.split(r"(?<=\\)(?=\|)", shown)
    )


def _span(shown: str) -> str:
    fence = _fence(shown, 1)
    is_padded = shown[0] in " `" or shown[-1] in " `"
    return f"{fence} {shown} {fence}" if is_padded else f"{fence}{shown}{fence}"


def fenced(words: str, language: str = "") -> str:
    """*words* as a block of code, with their line breaks."""
    lines = [text.clean(line, unicode=True) for line in words.splitlines()]
    fence = _fence(words, 3)
    return "\n".join([f"{fence}{language}", *lines, fence])


def _fence(words: str, least: int) -> str:
    """Backticks that do not end before *words* do."""
    longest = max((len(found) for found in _BACKTICKS.findall(words)), default=0)
    return "`" * max(longest + 1, least)


def _shown(words: str, most: int) -> str:
    return cut_middle(text.clean(words, unicode=True).strip(), most, "…")


def _reference(character: str) -> str:
    return f"&#{ord(character)};"
