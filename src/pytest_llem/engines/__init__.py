"""Inference engines, one a file. Engines stamp; they never subtract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from pytest_llem.engines.engine import Engine

ENGINES: Registry[type[Engine]] = Registry(
    "engines",
    {
        "openai": "pytest_llem.engines.openai.engine:OpenaiEngine",
        "transformers": "pytest_llem.engines.transformers:TransformersEngine",
    },
)
