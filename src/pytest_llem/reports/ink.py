"""Lines of coloured pieces, turned into strings last, so that widths are those of the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_llem.reports.text import Glyphs, cut_end

if TYPE_CHECKING:
    from collections.abc import Sequence

Style = Literal["", "bold", "dim", "red", "green", "yellow", "cyan"]
_CODES = {"bold": "1", "dim": "2", "red": "31;1", "green": "32", "yellow": "33", "cyan": "36"}
_RESET = "\x1b[0m"


class Span(NamedTuple):
    """Text in one style."""

    text: str
    style: Style = ""


Line = tuple[Span, ...]


def line(text: str, style: Style = "") -> Line:
    """A line in one style."""
    return (Span(text, style),)


def painted(spans: Sequence[Span], *, width: int, signs: Glyphs, colour: bool) -> str:
    """The line as a string of at most *width* columns, without spaces at its end."""
    text = "".join(span.text for span in spans).rstrip()
    shown = cut_end(text, width, signs.ellipsis)
    if not colour:
        return shown
    return _coloured(spans, shown)


def _coloured(spans: Sequence[Span], shown: str) -> str:
    """Colour what is shown, of which the end may differ from the spans by an ellipsis."""
    pieces = []
    start = 0
    for text, style in spans:
        piece = shown[start : start + len(text)]
        start += len(text)
        pieces.append(_styled(piece, style) if style else piece)
    return "".join([*pieces, shown[start:]])


def _styled(piece: str, style: Style) -> str:
    blank = len(piece) - len(piece.lstrip(" "))
    if blank == len(piece):
        return piece
    return f"{piece[:blank]}\x1b[{_CODES[style]}m{piece[blank:]}{_RESET}"
