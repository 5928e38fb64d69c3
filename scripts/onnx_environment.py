"""Makes and refreshes ``.venv-onnx``: what the example ``pytest-llem-onnx`` needs, without itself.

Its test installs the example on top, as a user would. The requirements are read from the
example's own ``pyproject.toml``; machines without an NVIDIA driver get the tested torch.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

from environment import (
    TESTED_TORCH,
    create,
    has_nvidia_driver,
    locked,
    read_stamp,
    reusable,
    write_stamp,
)

ROOT = Path(__file__).resolve().parent.parent
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


def fingerprint(project: Path, *, driver: bool) -> dict[str, str]:
    """What the environment depends on; one that differs in ``project`` only can be kept."""
    return {
        "python": f"{sys.version} in {sys.base_prefix}",
        "place": str(project),
        "requirements": " ".join(requirements(project, driver=driver)),
        "project": hashlib.sha256((project / "pyproject.toml").read_bytes()).hexdigest(),
    }


def refresh(project: Path) -> None:
    """Bring the environment of the checkout *project* up to date."""
    driver = has_nvidia_driver()
    venv, wanted = project / FOLDER, fingerprint(project, driver=driver)
    installed = read_stamp(venv)
    if installed == wanted:
        return
    print(f"Making {venv} with {wanted['requirements']} ...", flush=True)
    if reusable(installed, wanted):
        write_stamp(venv, {})
    else:
        create(venv)
    pip = [str(venv / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    asked = requirements(project, driver=driver)
    subprocess.run([*pip, "install", "--editable", str(project), *asked], check=True)
    write_stamp(venv, wanted)


def main() -> None:
    try:
        with locked(ROOT):
            refresh(ROOT)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The environment of the ONNX example is not complete: {error}")


if __name__ == "__main__":
    main()
