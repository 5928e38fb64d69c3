"""What ``mkdocs build`` does beyond its own: pages from the repository's root, links, no strangers.

Documents link to one another as files of the repository, so that they can be followed in a
checkout, too. In the site, a link to a document that has a page there goes to that page, and a
link to another file goes to ``DOCS_REPOSITORY`` (such as the project's address at its host) if
that variable is set, and is plain text if not.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).resolve().parent))

from site_loads import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = {
    "README.md": "index.md",
    "README.zh.md": "zh/index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "bench/README.md": "bench.md",
    "examples/pytest-llem-onnx/README.md": "example-onnx.md",
}
"""Documents outside of ``docs/``, and their pages."""
LINK = re.compile(r"(?<!!)\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]\(([^()\s]+)\)")
FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
REPOSITORY = os.environ.get("DOCS_REPOSITORY", "").rstrip("/")
LOG = logging.getLogger("mkdocs.hooks.site")
"""Its warnings end a strict build."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents that are not in ``docs/``, and the schemas, which some link to."""
    for source, page in ELSEWHERE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for schema in sorted((ROOT / "schemas").glob("*.json")):
        name = f"schemas/{schema.name}"
        files.append(File.generated(config, name, abs_src_path=str(schema)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - a hook's name
    """Rewrite links to files of the repository."""
    pages = {page: source for source, page in ELSEWHERE.items()}
    source = pages.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def rewritten(match: re.Match[str]) -> str:
        return _link(match[1], match[2], source, page.file.src_uri)

    return "".join(part if code else LINK.sub(rewritten, part) for code, part in _parts(markdown))


def _parts(markdown: str) -> Iterator[tuple[bool, str]]:
    """The text in order, and whether each part is code."""
    end = 0
    for fence in FENCE.finditer(markdown):
        yield False, markdown[end : fence.start()]
        yield True, fence[0]
        end = fence.end()
    yield False, markdown[end:]


def _link(text: str, target: str, source: str, here: str) -> str:
    path, hash_sign, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", path):
        return f"[{text}]({target})"
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    there = _page(file)
    if there is not None:
        relative = posixpath.relpath(there, posixpath.dirname(here) or ".")
        return f"[{text}]({relative}{hash_sign}{anchor})"
    if not (ROOT / file).exists():
        LOG.warning("%s links to %s, which there is not", source, target)
    return f"[{text}]({REPOSITORY}/blob/HEAD/{file})" if REPOSITORY else text


def _page(file: str) -> str | None:
    """Where the site has *file* of the repository; ``None`` if nowhere."""
    if file in ELSEWHERE:
        return ELSEWHERE[file]
    if file.startswith("schemas/") and file.endswith(".json"):
        return file
    return file.removeprefix("docs/") if file.startswith("docs/") else None


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001 - a hook's name
    """Say which language a page is in."""
    if page.file.src_uri.startswith("zh/"):
        return output.replace('<html lang="en"', '<html lang="zh-Hans"', 1)
    return output


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site that fetches anything from another host.

    The theme's choice of languages asks for a sitemap beside each language's first page.

    Raises:
        PluginError: a page or a style sheet loads a file from elsewhere.
    """
    site = Path(config.site_dir)
    shutil.copyfile(site / "sitemap.xml", site / "zh/sitemap.xml")
    found = foreign(site)
    if found:
        raise PluginError("Nothing may be loaded from another host:\n" + "\n".join(found))
