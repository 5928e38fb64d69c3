"""One loaded session and one cache directory for the tests of the engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llem.engines.transformers.session import TransformersSession


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache directory in which the built-in model is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session", autouse=True)
def _environment(cache: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLEM_CACHE_DIR", str(cache))
        patch.setenv("OMP_NUM_THREADS", "2")
        # Threads that spin while they wait make a run ten times slower on a busy machine.
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        yield


@pytest.fixture(scope="session")
def torch(_environment: None) -> Any:
    """Torch with two threads; imported here, so that it reads the environment above."""
    imported = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    imported.set_num_threads(2)
    return imported


@pytest.fixture(scope="module")
def session(torch: Any) -> Iterator[TransformersSession]:
    """The built-in model in float32 on the CPU."""
    from pytest_llem.engines.transformers.engine import TransformersEngine

    loaded = TransformersEngine().load(ExperimentConfig(dtype="float32", device="cpu"))
    yield loaded
    loaded.close()
