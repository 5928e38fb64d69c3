"""Inference engines, one a folder. Engines stamp; they never subtract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.contract import Contract
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pytest_llem.engines.engine import Engine

ENGINES: Registry[type[Engine]] = Registry(
    "engines",
    {
        "transformers": "pytest_llem.engines.transformers.engine:TransformersEngine",
        "vllm": "pytest_llem.engines.vllm.engine:VllmEngine",
        "tensorrt_llm": "pytest_llem.engines.tensorrt_llm.engine:TensorrtLlmEngine",
        "openai": "pytest_llem.engines.openai.engine:OpenaiEngine",
    },
    Contract("pytest_llem.engines.engine:Engine"),
    needs={
        "transformers": ("torch", "transformers"),
        "vllm": ("vllm",),
        "tensorrt_llm": ("tensorrt_llm",),
    },
)
