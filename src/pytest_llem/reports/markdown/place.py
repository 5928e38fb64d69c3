"""Where a report is read: the job that wrote it, and the address of a line of source code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

_JOBS = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "BUILD_URL")
"""Address of the job: of GitLab, Buildkite and Jenkins, each as its documentation names it."""


@dataclass(frozen=True, slots=True)
class Place:
    """The service that a run was measured by; ``None`` is unknown, or that there is none."""

    job_url: str | None = None
    """Page of the job, with its log and what it kept."""
    files_url: str | None = None
    """Beginning of the addresses of files, up to and with the slash before the commit."""
    commit: str | None = None
    """Full hash of what was checked out, by the service's account."""

    def source_url(self, path: str, line: int | None, commit: str | None) -> str | None:
        """Permanent address of *line* of the file *path* of the repository.

        Args:
            path: from the root of the repository, with slashes.
            line: from 1; ``None`` is the file as a whole.
            commit: full hash; ``None`` takes the service's.
        """
        commit = commit or self.commit
        if self.files_url is None or commit is None:
            return None
        anchor = "" if line is None else f"#L{line}"
        return f"{self.files_url}{quote(commit)}/{quote(path)}{anchor}"


def place_of(variables: Mapping[str, str]) -> Place:
    """The place that *variables* of the environment tell of."""
    if "GITHUB_REPOSITORY" in variables:
        return _github(variables)
    project = variables.get("CI_PROJECT_URL")
    return Place(
        job_url=next((variables[name] for name in _JOBS if variables.get(name)), None),
        files_url=f"{project}/-/blob/" if project else None,
        commit=variables.get("CI_COMMIT_SHA"),
    )


def _github(variables: Mapping[str, str]) -> Place:
    """GitHub, or a server of one's own (GitHub's documentation, "Variables reference")."""
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    repository = f"{server}/{quote(variables['GITHUB_REPOSITORY'])}"
    run = variables.get("GITHUB_RUN_ID")
    attempt = variables.get("GITHUB_RUN_ATTEMPT")
    at = f"/attempts/{attempt}" if attempt else ""
    return Place(
        job_url=f"{repository}/actions/runs/{run}{at}" if run else None,
        files_url=f"{repository}/blob/",
        commit=variables.get("GITHUB_SHA"),
    )
