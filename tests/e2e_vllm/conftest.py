"""Both engines in one session, each in its environment (``make test-vllm``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VARIABLE = "LLEM_VLLM_PYTHON"
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
"""So that two engines have room on a small machine, and neither is bound to the other's core."""


@pytest.fixture(scope="session", autouse=True)
def vllm_python() -> str:
    """The interpreter of vLLM's environment, which ``make env-vllm`` makes."""
    named = os.environ.get(VARIABLE)
    python = Path(named).absolute() if named else ROOT / ".venv-vllm" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{python} does not exist; make it with: make env-vllm")
    return str(python)


@pytest.fixture(autouse=True)
def _environment(vllm_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, vllm_python)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
