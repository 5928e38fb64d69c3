"""Makes and refreshes ``.venv-docs``: what builds the documentation site, and nothing else.

The site is built from files alone, so the project itself is not installed there.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from virtual_environment import bring_up_to_date, fingerprint, pip, refresh_checkout

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".venv-docs"


def requirements(project: Path) -> list[str]:
    """What the extra ``docs`` asks for."""
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return list(table["optional-dependencies"]["docs"])


def refresh(project: Path) -> None:
    """Bring the environment of the checkout *project* up to date."""
    asked = requirements(project)

    def fill(*, new: bool) -> dict[str, str]:  # noqa: ARG001 - all at once in either case
        pip(project / FOLDER, "install", *asked)
        return {}

    wanted = fingerprint(project, asked)
    bring_up_to_date(project / FOLDER, wanted, " ".join(asked), fill)


if __name__ == "__main__":
    refresh_checkout(refresh, " of the documentation")
