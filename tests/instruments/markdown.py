"""Markdown as a reader sees it: a renderer of its own, asked for tables, text and code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NO_WIDTH = "\u200b"


@dataclass
class Shown:
    """Text on one line, in the pieces that a service looks at one by one."""

    pieces: list[str] = field(default_factory=list)
    """Outside of code, where a service looks for mentions and issues."""
    text: str = ""
    """All of it, as a person reads it."""
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    """Markup beyond text, code and links."""


def shown(inline: Token) -> Shown:
    """What the inline token *inline* shows."""
    found = Shown()
    for token in inline.children or ():
        if token.type in {"text", "code_inline"}:
            found.text += token.content.replace(NO_WIDTH, "").replace("\xa0", " ")
        if token.type == "text":
            found.pieces.append(token.content)
        elif token.type == "link_open":
            found.links.append(str(token.attrs["href"]))
        elif token.type not in {"code_inline", "link_close"} and token.content != "<!-- -->":
            found.tags.append(token.content or token.type)
    return found


def lines(page: str) -> Iterator[Shown]:
    """Every line of text of *page*, cells included."""
    yield from (shown(token) for token in READER.parse(page) if token.type == "inline")


def tables(page: str) -> list[list[list[Shown]]]:
    """The tables of *page*, each as rows of cells, the head first."""
    found: list[list[list[Shown]]] = []
    inside = False
    for token in READER.parse(page):
        if token.type in {"table_open", "table_close"}:
            inside = token.type == "table_open"
            found += [[]] if inside else []
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and inside:
            found[-1][-1].append(shown(token))
    return found


def blocks(page: str) -> Sequence[str]:
    """The kinds of blocks of *page*, in order."""
    return [token.type for token in READER.parse(page) if token.nesting >= 0]
