"""The example as its users have it: in a fresh environment, and one model exported once."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.config.experiment import ExperimentConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem_onnx.session import OnnxSession

EXAMPLE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Exported models and locks of these tests alone, and one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("LLEM_LOCK_DIR", str(tmp_path_factory.mktemp("locks")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interpreter of a fresh environment with all that the example requires, without itself."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    around = sysconfig.get_path("purelib")
    (packages / "around.pth").write_text(f"import site; site.addsitedir({around!r})\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def installed(bare: Path) -> Path:
    """The interpreter of that environment after the example was built and installed into it."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    asked = ["--no-deps", "--no-build-isolation", str(EXAMPLE)]
    subprocess.run([*pip, "--python", str(bare), "install", *asked], check=True)
    return bare


@pytest.fixture(scope="module")
def session() -> Iterator[OnnxSession]:
    """The built-in model, exported to float32."""
    from pytest_llem_onnx.engine import OnnxEngine

    loaded = OnnxEngine().load(ExperimentConfig(backend="onnx", dtype="float32"))
    yield loaded
    loaded.close()
