"""An environment with Zeus and CodeCarbon, ``.venv-peers``, for tests and benchmarks beside them.

They are not in ``.venv``: they bring pandas, scikit-learn and their own versions of what we
use. Where they cannot be installed, their tests are skipped and their rows left out.
"""

from __future__ import annotations

import subprocess
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-peers"


def requirements() -> list[str]:
    """What the extras of their meters ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*extras["zeus"], *extras["codecarbon"]]


def peers_python() -> Path | None:
    """The interpreter of the environment, made where it is missing; ``None`` if it fails."""
    python = ENVIRONMENT / "bin" / "python"
    if _has_both(python):
        return python
    print(f"making {ENVIRONMENT.name} with {' and '.join(requirements())} …", flush=True)
    venv.create(ENVIRONMENT, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", *requirements()]
    made = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if made.returncode == 0 and _has_both(python):
        return python
    print(
        "Zeus and CodeCarbon could not be installed, so they are left out. Try: "
        f"{python} -m pip install {' '.join(map(repr, requirements()))}\n{made.stderr}"
    )
    return None


def _has_both(python: Path) -> bool:
    code = "import zeus, codecarbon"
    return (
        python.exists()
        and not subprocess.run([python, "-c", code], check=False, capture_output=True).returncode
    )


if __name__ == "__main__":
    peers_python()
