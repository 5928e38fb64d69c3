"""Text as a terminal shows it: columns taken, safe characters, cutting and wrapping."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple


class Glyphs(NamedTuple):
    """The signs that differ between a Unicode and an ASCII terminal."""

    plus_minus: str
    minus: str
    unknown: str
    ellipsis: str
    times: str
    micro: str
    arrow: str
    rule: str
    dot: str
    infinity: str


UNICODE = Glyphs("±", "−", "–", "…", "×", "µ", "→", "─", "·", "∞")  # noqa: RUF001 -- the signs themselves
ASCII = Glyphs("+-", "-", "-", "...", "x", "u", "->", "-", "-", "inf")

_SPELLED_OUT = str.maketrans(
    {
        **dict(zip(UNICODE, ASCII, strict=True)),
        "—": "-",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "μ": "u",
        "°": "deg ",
        "“": '"',
        "”": '"',
        "‘": "'",  # noqa: RUF001 -- the sign itself
        "’": "'",  # noqa: RUF001 -- the sign itself
    }
)
_ALL_NARROW = re.compile(r"[\x00-\u02ff\u2010-\u2027\u2190-\u22ff\u2500-\u257f]*")
"""Blocks without wide or combining characters that hold the signs used here: a short cut."""
_BETWEEN_WORDS = re.compile(r"\s+(?!(?:%|[kmunpµ]?[JWs])(?:[^\w]|$))|(?<!\d)\s+")
"""Spaces, but not the one between a number and its unit."""
_ZERO_WIDTH = {"Mn", "Me"}
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def glyphs(*, unicode: bool) -> Glyphs:
    """The signs to write with."""
    return UNICODE if unicode else ASCII


def clean(text: str, *, unicode: bool) -> str:
    """*text* on one line, with nothing in it that moves a cursor or cannot be encoded.

    Line breaks become spaces and other control, format and unassigned characters
    their escapes. Without *unicode*, known signs are spelled out in ASCII and the
    rest is escaped.
    """
    if text.isascii() and text.isprintable():
        return text
    text = "".join(_shown(character) for character in " ".join(text.split()))
    return text if unicode else _ascii(text)


def _shown(character: str) -> str:
    if unicodedata.category(character) in _NOT_SHOWN:
        return character.encode("unicode_escape").decode("ascii")
    return character


def _ascii(text: str) -> str:
    return text.translate(_SPELLED_OUT).encode("ascii", "backslashreplace").decode("ascii")


def is_narrow(text: str) -> bool:
    """Whether every character takes one column, so that ``len`` is its width."""
    return text.isascii() or _ALL_NARROW.fullmatch(text) is not None


def display_width(text: str) -> int:
    """Columns that *text* takes: two for wide East Asian characters, none for accents."""
    if is_narrow(text):
        return len(text)
    return sum(_character_width(character) for character in text)


@lru_cache(maxsize=4096)
def _character_width(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def head(text: str, width: int) -> str:
    """The longest start of *text* that takes at most *width* columns."""
    if text.isascii():
        return text[: max(width, 0)]
    taken = 0
    for position, character in enumerate(text):
        taken += _character_width(character)
        if taken > width:
            return text[:position]
    return text


def tail(text: str, width: int) -> str:
    """The longest end of *text* that takes at most *width* columns."""
    taken = 0
    for position in range(len(text) - 1, -1, -1):
        taken += _character_width(text[position])
        if taken > width:
            return text[position + 1 :]
    return text


def cut_end(text: str, width: int, ellipsis: str) -> str:
    """*text* in at most *width* columns; what does not fit leaves an ellipsis at the end."""
    if display_width(text) <= width:
        return text
    return head(text, width - len(ellipsis)) + head(ellipsis, width)


def cut_middle(text: str, width: int, ellipsis: str) -> str:
    """*text* in at most *width* columns; what does not fit leaves an ellipsis in the middle."""
    if display_width(text) <= width:
        return text
    room = width - len(ellipsis)
    if room <= 0:
        return head(ellipsis, width)
    end = tail(text, room // 2)
    return head(text, room - display_width(end)) + ellipsis + end


def pad(text: str, width: int, *, right: bool = False) -> str:
    """*text* filled with spaces to *width* columns, at its left if it stands *right*."""
    fill = " " * (width - display_width(text))
    return fill + text if right else text + fill


def wrapped(text: str, width: int, *, first: str = "", indent: str = "") -> list[str]:
    """The words of *text* in lines of at most *width* columns.

    The first line starts with *first*, the others with *indent*; a word too long
    for a line is continued on the next, and nothing is lost.
    """
    indent = head(indent, width // 2 - 1)  # leaves room for a wide character
    lines: list[str] = []
    line, gap = first, ""
    for word in _BETWEEN_WORDS.split(text.strip()):
        joined = line + gap + word
        if display_width(joined) > width and line.strip():
            lines.append(line.rstrip())
            joined = indent + word
        *full, line = _pieces(joined, width, indent)
        lines += full
        gap = " "
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(line: str, width: int, indent: str) -> list[str]:
    """*line* cut where it is too long; every piece has a character of it, however narrow."""
    pieces: list[str] = []
    while display_width(line) > width:
        least = 1 + (len(indent) if pieces else 0)
        length = max(len(head(line, width)), least)
        pieces.append(line[:length])
        line = indent + line[length:]
    return [*pieces, line]
