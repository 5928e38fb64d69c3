"""What of an experiment reaches TensorRT-LLM's ``SamplingParams``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.engines.tensorrt_llm import SAMPLING_FIELDS
from pytest_llem.engines.tensorrt_llm.options import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.tensorrt_llm.installed import TensorrtLlm

DRAWING = frozenset({"temperature", "top_k", "top_p", "top_p_decay", "min_p"})
"""Options with which tokens are drawn rather than the likeliest taken."""


def sampling_parameters(config: ExperimentConfig, installed: TensorrtLlm) -> dict[str, Any]:
    """Options of requests that are set, as keyword arguments; empty is greedy.

    Raises:
        ConfigError: TensorRT-LLM refuses one, or does not know it.
        EngineError: this version has no lookahead decoding.
    """
    given = config.tensorrt_llm.given()
    found = {name: _plain(given[name]) for name in given.keys() & SAMPLING_FIELDS}
    if "lookahead_config" in found:
        made, fields = installed.part("LookaheadDecodingConfig"), found["lookahead_config"]
        found["lookahead_config"] = checked("lookahead_config", lambda: made(**fields))
    if draws(found):
        found["seed"] = config.seed
    checked(" and ".join(sorted(found)), lambda: parameters_of(installed.package, found))
    return found


def draws(sampling: Mapping[str, Any]) -> bool:
    """Whether tokens are drawn: otherwise ``top_k=1`` takes the likeliest."""
    return bool(sampling.keys() & DRAWING)


def parameters_of(package: Any, asked: Mapping[str, Any]) -> Any:
    """``SamplingParams`` with what is *asked*; else greedy, and of ids only."""
    greedy = {} if draws(asked) else {"top_k": 1}
    return package.SamplingParams(**{"detokenize": False, **greedy, **asked})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
