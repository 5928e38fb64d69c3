"""The adapter over a stand-in for TensorRT-LLM, which is on the path for these tests only."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.engines.tensorrt_llm.session import TensorrtLlmSession

DOUBLE = Path(__file__).parents[1] / "instruments" / "tensorrt_double"
FAULT = "LLEM_TEST_TRT_FAULT"


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorrt_llm"]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache directory in which the built-in model is built once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def _environment(cache: Path) -> Iterator[None]:
    """Of these tests only: other rooms' tests may run in this process before and after."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLEM_CACHE_DIR", str(cache))
        patch.setenv("OMP_NUM_THREADS", "2")
        yield


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The stand-in, imported afresh by each test, and engines that are built for it alone."""
    _forget()
    monkeypatch.syspath_prepend(str(DOUBLE))
    monkeypatch.setenv("LLEM_TENSORRT_LLM_ENGINES", str(tmp_path / "engines"))
    yield DOUBLE
    _forget()


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the stand-in have these faults."""

    def fault(*names: str) -> None:
        monkeypatch.setenv(FAULT, ",".join(names))

    return fault


@contextmanager
def loaded(dtype: str = "auto", **options: Any) -> Iterator[TensorrtLlmSession]:
    """A session with these options, which is closed afterwards."""
    from pytest_llem.engines.tensorrt_llm.engine import TensorrtLlmEngine

    section = {name: options.pop(name) for name in list(options) if name not in FIELDS}
    config = ExperimentConfig(backend="tensorrt_llm", dtype=dtype, tensorrt_llm=section, **options)
    session = TensorrtLlmEngine().load(config)
    try:
        yield session
    finally:
        session.close()


FIELDS = frozenset(ExperimentConfig.model_fields) - {"backend"}  # which is of the section here


@pytest.fixture
def load() -> Callable[..., Any]:
    return loaded


@pytest.fixture
def requests() -> Callable[..., list[Request]]:
    """So many requests of 20 tokens in and 8 out."""

    def requests(count: int = 3, **fields: Any) -> list[Request]:
        plain = {"prompt_token_ids": tuple(range(5, 25)), "output_tokens": 8, **fields}
        return [Request(f"r{i}", **plain) for i in range(count)]

    return requests


@pytest.fixture
def workers() -> Callable[[], list[int]]:
    """Processes of the engine that live."""

    def workers() -> list[int]:
        found = psutil.Process().children(recursive=True)
        return [one.pid for one in found if "mpi4py" in " ".join(one.cmdline())]

    return workers
