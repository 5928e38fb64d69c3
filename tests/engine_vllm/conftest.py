"""The real engine, in its own environment (``make test-vllm``); few loads, each takes seconds."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.vllm.engine import VllmEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.engines.vllm.session import VllmSession

    Load = Callable[..., VllmSession]

THREADS = "2" if (os.cpu_count() or 1) > 2 else "1"


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLEM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("OMP_NUM_THREADS", THREADS)
        patch.setenv("VLLM_LOGGING_LEVEL", "ERROR")
        yield


def asked(**options: Any) -> ExperimentConfig:
    """The built-in model in float32, eagerly, with these options of vLLM."""
    section = {"enforce_eager": True, "max_model_len": 512, **options}
    return ExperimentConfig(dtype="float32", backend="vllm", vllm=section)


@contextmanager
def loaded(**options: Any) -> Iterator[VllmSession]:
    """A session that is closed afterwards."""
    session = VllmEngine().load(asked(**options))
    try:
        yield session
    finally:
        session.close()


@pytest.fixture(scope="session")
def load() -> Callable[..., Any]:
    return loaded


@pytest.fixture(scope="session")
def config() -> Callable[..., ExperimentConfig]:
    return asked


@pytest.fixture(scope="session")
def engine_processes() -> Callable[[], list[int]]:
    """Processes below this one, but for the helpers of Python's own multiprocessing."""

    def found() -> list[int]:
        return [
            child.pid
            for child in psutil.Process().children(recursive=True)
            if child.is_running() and "resource_tracker" not in " ".join(child.cmdline())
        ]

    return found
