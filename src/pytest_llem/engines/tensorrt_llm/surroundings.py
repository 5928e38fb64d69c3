"""Environment variables that TensorRT-LLM reads, set while a model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.engines.surroundings import only_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig

QUIET = {"TLLM_LOG_LEVEL": "WARNING", "TOKENIZERS_PARALLELISM": "false"}
OWN_CACHE = "TLLM_LLMAPI_BUILD_CACHE"
"""Switches on TensorRT-LLM's own cache of engines, whose key leaves out what the weights are."""
PREFIXES = ("TLLM_", "TRTLLM_")
NO_EFFECT = ("TLLM_LOG_", OWN_CACHE)


def variables(config: ExperimentConfig, environ: Mapping[str, str]) -> dict[str, str]:
    """What *environ* should have more, or other, while the model of *config* is loaded."""
    found = {name: value for name, value in QUIET.items() if name not in environ}
    return found | {OWN_CACHE: "0"} | only_device(config.device, environ)


def switches(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables by which TensorRT-LLM is told to do otherwise, by name."""
    return {
        name: value
        for name, value in sorted(environ.items())
        if name.startswith(PREFIXES) and not name.startswith(NO_EFFECT)
    }
