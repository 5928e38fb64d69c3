"""A run in GitHub Flavored Markdown: as a page, and as a comment on a pull request."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.reports.markdown.comment import comment_text
from pytest_llem.reports.markdown.place import place_of
from pytest_llem.reports.markdown.summary import summary_text
from pytest_llem.reports.markdown.told import told_run
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.reports.exporters.exporter import Exported


class MarkdownExporter:
    """At most 1 MiB, for job summaries and annotations of other hosts."""

    name: ClassVar[str] = "markdown"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write the page of the run that *experiments* are of to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        _write(summary_text(told_run(experiments, place_of(os.environ))), path)


class CommentExporter:
    """At most 65,536 characters, with a marker by which the next one finds it."""

    name: ClassVar[str] = "github-comment"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write the comment on the run that *experiments* are of to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        _write(comment_text(told_run(experiments, place_of(os.environ))), path)


def _write(text: str, path: Path) -> None:
    with replacing(path) as file:
        file.write(text.encode())
