"""What vLLM raises and prints, and what is made of it: what the real engine cannot be made to do."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.vllm.engine import VllmEngine
from pytest_llem.engines.vllm.faults import explained
from pytest_llem.engines.vllm.output import cause_in
from pytest_llem.errors import EngineError, LlemError, MissingExtraError, OutOfMemoryError


class CudaOutOfMemoryError(RuntimeError):
    pass


class EngineDeadError(Exception):
    pass


TORCH = SimpleNamespace(cuda=SimpleNamespace(OutOfMemoryError=CudaOutOfMemoryError))
CORE_FAILED = "Engine core initialization failed. See root cause above. Failed core proc(s): "


def raised(error: BaseException, told: str | None = None) -> LlemError:
    with (
        pytest.raises(LlemError) as caught,
        explained(TORCH, doing="load", try_instead="Take less.", cause=lambda: told),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        CudaOutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
        ValueError(
            "No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"
        ),
        ValueError(
            "Free memory on device cuda:0 (3/80 GiB) on startup is less than desired GPU memory "
            "utilization (0.92, 73 GiB)."
        ),
        ValueError(
            "To serve at least one request, which is larger than the available KV cache memory"
        ),
    ],
)
def test_too_little_memory_is_told_as_such_with_what_helps(error: Exception) -> None:
    found = raised(error)
    assert isinstance(found, OutOfMemoryError)
    assert str(found).endswith("Take less.")


def test_too_little_memory_in_the_core_is_known_by_what_it_printed() -> None:
    told = "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB."
    found = raised(RuntimeError(f"{CORE_FAILED}{{'EngineCore': 1}}"), told)
    assert isinstance(found, OutOfMemoryError)
    assert told in str(found)


def test_a_core_that_the_kernel_killed_is_told_as_killed() -> None:
    found = raised(RuntimeError(f"{CORE_FAILED}{{'EngineCore': -9}}"))
    assert isinstance(found, EngineError)
    assert "killed by SIGKILL, as the kernel does when memory runs out" in str(found)


def test_a_core_that_died_later_is_told_with_its_cause() -> None:
    found = raised(EngineDeadError("See stack trace"), "RuntimeError: device-side assert")
    assert "RuntimeError: device-side assert" in str(found)
    assert "core is dead" in str(found)


def test_an_error_of_generating_is_that_which_it_was_raised_from() -> None:
    class EngineGenerateError(Exception):
        pass

    error = EngineGenerateError()
    error.__cause__ = ValueError("bad request")
    assert "ValueError" not in type(raised(error)).__name__
    assert "bad request" in str(raised(error))


def test_the_first_error_that_names_a_cause_is_it() -> None:
    text = (
        "(Worker pid=7) ERROR 11-21 [multiproc.py:9] torch.cuda.OutOfMemoryError: CUDA out of memory\n"
        "(EngineCore pid=6) ERROR 11-21 [core.py:9] Exception: WorkerProc initialization failed "
        "due to an exception in a background process. See stack trace for root cause.\n"
        "RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    assert cause_in(text) == "OutOfMemoryError: CUDA out of memory"
    assert cause_in(text.split("\n", 1)[1]) is None
    assert cause_in("all is well") is None


def test_without_vllm_it_says_where_it_may_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setattr("pytest_llem.engines.vllm.engine.import_module", _missing)
    with pytest.raises(MissingExtraError, match=r"pytest-llem\[vllm\].*LLEM_VLLM_PYTHON"):
        VllmEngine().load(ExperimentConfig(backend="vllm"))


def _missing(name: str) -> ModuleType:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
