"""The summary of a job of GitHub Actions, and its annotations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.reports.github.annotations import annotation_lines
from pytest_llem.reports.markdown.place import place_of
from pytest_llem.reports.markdown.summary import LIMIT_BYTES, summary_text
from pytest_llem.reports.markdown.told import told_run
from pytest_llem.results.files import reason_and_remedy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.reports.exporters.exporter import Exported
    from pytest_llem.reports.markdown.told import ToldRun

SUMMARY = "GITHUB_STEP_SUMMARY"
"""Variable with the path of the file that becomes the summary of a step."""
LEAST_BYTES = 4096
"""What has to be left of the summary's limit for a page to say anything."""


@dataclass(frozen=True, slots=True)
class GitHub:
    """What was left for GitHub to show."""

    annotations: tuple[str, ...] = ()
    """Lines for the log."""
    problems: tuple[str, ...] = ()
    """What went wrong, as sentences."""


def tell_github(experiments: Sequence[Exported], variables: Mapping[str, str]) -> GitHub:
    """Add *experiments* to the summary of the step, if it has one, and find what to annotate."""
    told = told_run(experiments, place_of(variables))
    annotations = tuple(annotation_lines(told))
    path = variables.get(SUMMARY)
    problem = None if not path else _add(told, Path(path))
    return GitHub(annotations, () if problem is None else (problem,))


def _add(told: ToldRun, path: Path) -> str | None:
    """Append the page to the file *path*, as much of it as still fits; what kept it from that."""
    try:
        room = LIMIT_BYTES - (path.stat().st_size if path.exists() else 0)
        if room < LEAST_BYTES:
            return (
                f"the summary of this step ({path}) is full: GitHub takes 1 MiB. Write less of "
                "what else is in it, or switch this one off with --llem-github=off."
            )
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{summary_text(told, room - 1)}")
    except OSError as error:
        reason, remedy = reason_and_remedy(error)
        return f"cannot write the summary of this step, {path}: {reason}. {remedy}."
    return None
