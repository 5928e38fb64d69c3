"""Inference engines, one a file. Engines stamp; they never subtract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.contract import Contract
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pytest_llem.engines.engine import Engine

ENGINES: Registry[type[Engine]] = Registry(
    "engines",
    {
        "openai": "pytest_llem.engines.openai.engine:OpenaiEngine",
        "transformers": "pytest_llem.engines.transformers:TransformersEngine",
        "vllm": "pytest_llem.engines.vllm.engine:VllmEngine",
    },
    Contract("pytest_llem.engines.engine:Engine"),
    needs={"transformers": ("torch", "transformers"), "vllm": ("vllm",)},
)
