"""The code blocks of a document, as CommonMark has them, and what stands before them.

A comment before a block says what is not done with it, and why:

    <!-- not run: needs an NVIDIA GPU -->   its options are looked up, nothing is started
    <!-- dry run: needs vLLM -->            pytest gets --llem-dry-run: planned, not measured
    <!-- output of: make bench -->          what a command printed, in a block without a language
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "bench/*.md", "examples/*/*.md", ".github/**/*.md")
    for path in CHECKOUT.glob(pattern)
)
"""All that people are given to read."""
DIRECTIVE = re.compile(r"<!-- (not run|dry run|output of|drawing): (.+?) -->\s*\Z", re.DOTALL)
NAMED = re.compile(r"# ([\w./-]+\.(?:py|ya?ml|toml))(?: *\(.*\))?$")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    document: str
    line: int
    """Of its fence, from 1."""
    language: str
    """Empty where none is named."""
    text: str
    directive: str | None = None
    """``not run``, ``dry run`` or ``output of``."""
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is, where its first line is a comment with a path."""
        named = NAMED.match(self.text.partition("\n")[0])
        return named[1] if named else None


def blocks_of(document: str) -> list[Block]:
    """The fenced blocks of *document*, a path from the root of the repository."""
    found, before = [], ""
    for token in MarkdownIt().parse((CHECKOUT / document).read_text(encoding="utf-8")):
        if token.type == "html_block":
            before = token.content
        elif token.type == "fence" and token.map is not None:
            said = DIRECTIVE.search(before)
            found.append(
                Block(
                    document,
                    token.map[0] + 1,
                    token.info.split(" ")[0],
                    token.content,
                    said[1] if said else None,
                    " ".join(said[2].split()) if said else "",
                )
            )
            before = ""
        elif token.content or token.type.endswith("_open"):
            before = ""
    return found


BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
