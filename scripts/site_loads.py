"""What a built site would fetch from another host.

Links that a reader may follow do not count; what a browser loads by itself does.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LOADED = frozenset({"stylesheet", "icon", "preload", "preconnect", "modulepreload"})
"""Relations of a ``<link>`` that a browser acts upon."""


def foreign(site: Path) -> list[str]:
    """``FILE: ADDRESS`` of everything that a page or a style sheet of *site* loads from elsewhere."""
    found = []
    for page in sorted(site.rglob("*.html")):
        parser = _Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(site)}: {address}" for address in parser.foreign]
    for sheet in sorted(site.rglob("*.css")):
        text = sheet.read_text(encoding="utf-8")
        loads = re.findall(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')]+)", text)
        found += [f"{sheet.relative_to(site)}: {address}" for address in loads]
    return found


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        links = tag == "link" and LOADED & set(has.get("rel", "").split())
        addresses = [has.get("src", ""), has.get("href", "") if links else ""]
        self.foreign += [one for one in addresses if re.match(r"(https?:)?//", one)]
