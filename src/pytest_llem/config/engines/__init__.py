"""What each engine can be told, one section an engine; loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llem.config.engines.openai import OpenaiOptions
    from pytest_llem.config.engines.tensorrt_llm import TensorrtLlmOptions
    from pytest_llem.config.engines.transformers import TransformersOptions
    from pytest_llem.config.engines.vllm import VllmOptions

__all__ = ["OpenaiOptions", "TensorrtLlmOptions", "TransformersOptions", "VllmOptions"]

_HOMES = {
    "OpenaiOptions": "pytest_llem.config.engines.openai",
    "TensorrtLlmOptions": "pytest_llem.config.engines.tensorrt_llm",
    "TransformersOptions": "pytest_llem.config.engines.transformers",
    "VllmOptions": "pytest_llem.config.engines.vllm",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
