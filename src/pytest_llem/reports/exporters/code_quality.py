"""What fails a run as a code quality report, which GitLab shows in merge requests."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.reports import notes
from pytest_llem.reports.markdown.place import place_of
from pytest_llem.reports.markdown.told import told_run
from pytest_llem.reports.rows import fails, name_of
from pytest_llem.reports.text import clean
from pytest_llem.results.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.reports.markdown.told import ToldRun
    from pytest_llem.reports.rows import SummaryRow


class CodeQualityExporter:
    """A finding for each reason, at the line of its test (GitLab's documentation, "Code Quality").

    The fingerprint is of the experiment and of what is wrong with it, so that GitLab knows it again
    in the next pipeline, whatever the figures are.
    """

    name: ClassVar[str] = "gitlab-code-quality"
    api_version: ClassVar[int] = 1

    def export(self, experiments: Sequence[Exported], path: Path) -> None:
        """Write the findings of the run that *experiments* are of to *path*.

        Raises:
            OSError: the file cannot be written.
        """
        told = told_run(experiments, place_of(os.environ))
        failing = [row for row in told.rows if fails(row, strict=told.view.strict)]
        found = [finding for row in failing for finding in _findings(row, told)]
        with replacing(path) as file:
            file.write(f"{json.dumps(found, indent=2)}\n".encode())


def _findings(row: SummaryRow, told: ToldRun) -> Iterator[dict[str, Any]]:
    written = told.written(row)
    name = name_of(row)
    path = name.partition("::")[0] if written is None else written.path
    line = 1 if written is None or written.line is None else written.line
    for number, note in enumerate(notes.failures([row], told.view)):
        about = f"{name}\n{note.word}\n{number}"
        yield {
            "description": clean(f"{note.word}: {name}: {note.text}", unicode=True),
            "check_name": f"llem.{note.word.replace(' ', '_')}",
            "fingerprint": hashlib.sha256(about.encode()).hexdigest(),
            "severity": "major" if note.word == "regressed" else "critical",
            "location": {"path": path, "lines": {"begin": line}},
        }
