"""Makes and refreshes ``.venv``, the environment that every make target uses.

Only the standard library, since it runs first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nvidia_driver import has_nvidia_driver
from virtual_environment import bring_up_to_date, fingerprint, pip, refresh_checkout

if TYPE_CHECKING:
    from pathlib import Path

TESTED_TORCH = "torch==2.13.0"
"""What machines without a driver get; elsewhere the extra decides."""
EXTRAS = ".[dev,transformers]"


def requirements(*, driver: bool) -> list[str]:
    """What pip is asked for: the project with its extras, and the tested torch if alone."""
    return ["--editable", EXTRAS] if driver else ["--editable", EXTRAS, TESTED_TORCH]


def refresh(project: Path) -> None:
    """Brings ``.venv`` of the checkout *project* up to date."""
    driver = has_nvidia_driver()
    venv, asked = project / ".venv", requirements(driver=driver)

    def fill(*, new: bool) -> dict[str, str]:  # noqa: ARG001 - all at once in either case
        pip(venv, "install", *asked, directory=project)
        return {}

    found = "an NVIDIA driver" if driver else f"no NVIDIA driver, so {TESTED_TORCH}"
    bring_up_to_date(venv, fingerprint(project, asked), found, fill)


if __name__ == "__main__":
    refresh_checkout(refresh, "")
