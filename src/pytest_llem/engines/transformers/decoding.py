"""How an experiment wants tokens chosen, as transformers' ``generate`` takes it.

Whatever is asked for, a request gets exactly its number of output tokens: nothing here may
end a sequence, and what has no effect is refused rather than ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llem.config.engines import TransformersOptions
    from pytest_llem.config.experiment import ExperimentConfig

SAMPLING = "do_sample=True"
BEAMS = "num_beams of at least 2"
DRAFTS = "assistant_model"
DRAFTER = "a model that drafts"
DRAFTERS = ("assistant_model", "assistant_early_exit", "use_mtp")
COMPILED = "torch_compile=True"
QUANTIZED = "cache_implementation='quantized'"
PLACED = "device_map"
REMOTE = "trust_remote_code=True"
STATIC = "a static cache_implementation"
SELF_COMPILED = f"{STATIC} and {COMPILED}, which let generate compile"
NEEDS = {
    **dict.fromkeys(("max_memory", "offload_folder", "offload_buffers"), PLACED),
    **dict.fromkeys(("torch_compile_backend", "torch_compile_mode"), COMPILED),
    **dict.fromkeys(("torch_compile_dynamic", "torch_compile_fullgraph"), COMPILED),
    "code_revision": REMOTE,
    "cache_config": QUANTIZED,
    "compile_config": SELF_COMPILED,
    **dict.fromkeys(("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p"), SAMPLING),
    **dict.fromkeys(("epsilon_cutoff", "eta_cutoff"), SAMPLING),
    **dict.fromkeys(("length_penalty", "early_stopping"), BEAMS),
    **dict.fromkeys(("num_assistant_tokens_schedule", "assistant_ensemble_weight"), DRAFTS),
    **dict.fromkeys(("speculation_type", "assistant_lookbehind", "target_lookbehind"), DRAFTS),
    "max_matching_ngram_size": "prompt_lookup_num_tokens",
    "num_assistant_tokens": DRAFTER,
    "assistant_confidence_threshold": DRAFTER,
    "max_cache_len": STATIC,
}
"""Options that transformers, or the engine around it, ignores unless another is set."""
SPECULATING = ("assistant_model", "prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp")
OF_ASSISTANT = (
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "target_lookbehind",
)
"""Options that transformers reads from the configuration of the model that drafts."""
KEPT = ("output_attentions", "output_hidden_states", "output_scores", "output_logits")


def speculates(options: TransformersOptions) -> bool:
    """Whether tokens are drafted ahead, so that a step may bring several."""
    given = options.given()
    return any(given.get(name) for name in SPECULATING)


def check_decoding(config: ExperimentConfig) -> None:
    """Refuse what would have no effect, and what transformers cannot do together.

    Raises:
        ConfigError: an option without the one that it needs.
        EngineError: speculative decoding of several requests at once, or by beams.
    """
    options = config.transformers
    given = options.given()
    for name in given.keys() & NEEDS.keys():
        if not _met(NEEDS[name], given):
            raise ConfigError(
                f"transformers.{name}={given[name]!r} has no effect without {NEEDS[name]}. "
                "Set both, or neither."
            )
    if given.get("use_cache") is False and "cache_implementation" in given:
        raise ConfigError(
            f"transformers.cache_implementation={given['cache_implementation']!r} has no effect with "
            "use_cache=False. Leave one of them unset."
        )
    if not speculates(options):
        return
    how = next(name for name in SPECULATING if given.get(name))
    if config.batch_size > 1:
        raise EngineError(
            f"transformers.{how} with batch_size={config.batch_size}: transformers drafts tokens for "
            "one request at a time. Use batch_size=1, or another backend such as vllm."
        )
    if given.get("num_beams", 1) > 1:
        raise EngineError(
            f"transformers.{how} with num_beams={given['num_beams']}: transformers drafts no tokens "
            "for beams. Leave one of them unset."
        )


def _met(need: str, given: Mapping[str, Any]) -> bool:
    holds = _MET.get(need)
    return holds(given) if holds else bool(given.get(need))


def _static(given: Mapping[str, Any]) -> bool:
    return "static" in str(given.get("cache_implementation"))


def _compiles_itself(given: Mapping[str, Any]) -> bool:
    disabled = given.get("disable_compile")
    return _static(given) and not disabled and (disabled is False or "torch_compile" in given)


_MET: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    SAMPLING: lambda given: bool(given.get("do_sample")),
    BEAMS: lambda given: given.get("num_beams", 1) > 1,
    DRAFTER: lambda given: any(given.get(name) for name in DRAFTERS),
    STATIC: _static,
    QUANTIZED: lambda given: given.get("cache_implementation") == "quantized",
    COMPILED: lambda given: "torch_compile" in given,
    SELF_COMPILED: _compiles_itself,
    REMOTE: lambda given: "trust_remote_code" in given,
}
"""When a need is met; any other one is an option that must be set."""


def generation_arguments(options: TransformersOptions, transformers: Any) -> dict[str, Any]:
    """What was asked for, as keyword arguments of ``GenerationConfig``."""
    given = options.given()
    if not given:
        return {}
    from pytest_llem.config.engines.transformers import GENERATION_FIELDS

    arguments = {name: _plain(given[name]) for name in given.keys() & GENERATION_FIELDS}
    if "compile_config" in arguments:
        arguments["compile_config"] = transformers.CompileConfig(**arguments["compile_config"])
    if any(arguments.get(name) for name in KEPT):
        arguments["return_dict_in_generate"] = True
    return arguments


def assistant_arguments(options: TransformersOptions) -> dict[str, Any]:
    """What of it the model that drafts is told."""
    given = options.given()
    return {name: given[name] for name in OF_ASSISTANT if name in given}


def _plain(value: Any) -> Any:
    """Lists for tuples, which is what logits processors take."""
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
