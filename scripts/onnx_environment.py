"""Makes and refreshes ``.venv-onnx``: what the example ``pytest-llem-onnx`` needs, without itself.

Its test installs the example on top, as a user would. The requirements are read from the
example's own ``pyproject.toml``; machines without an NVIDIA driver get the tested torch.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from environment import TESTED_TORCH
from nvidia_driver import has_nvidia_driver
from virtual_environment import bring_up_to_date, fingerprint, pip, refresh_checkout

EXAMPLE = Path("examples/pytest-llem-onnx")
FOLDER = ".venv-onnx"
OF_TESTS = ("pytest-timeout",)
OWN = "pytest-llem"


def requirements(project: Path, *, driver: bool) -> list[str]:
    """What the example, its export, its build and its tests ask for, except pytest-llem."""
    table = tomllib.loads((project / EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *table["build-system"]["requires"],
        *table["project"]["dependencies"],
        *table["project"]["optional-dependencies"]["export"],
        *OF_TESTS,
    ]
    others = [one for one in asked if not one.startswith(OWN)]
    return others if driver else [*others, TESTED_TORCH]


def refresh(project: Path) -> None:
    """Bring the environment of the checkout *project* up to date."""
    asked = requirements(project, driver=has_nvidia_driver())
    venv = project / FOLDER

    def fill(*, new: bool) -> dict[str, str]:  # noqa: ARG001 - all at once in either case
        pip(venv, "install", "--editable", str(project), *asked)
        return {}

    bring_up_to_date(venv, fingerprint(project, asked), " ".join(asked), fill)


if __name__ == "__main__":
    refresh_checkout(refresh, " of the ONNX example")
