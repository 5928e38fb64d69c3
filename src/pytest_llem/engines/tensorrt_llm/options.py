"""What of an experiment reaches TensorRT-LLM's ``LLM``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.engines.tensorrt_llm import (
    KV_CACHE_FIELDS,
    OWN_FIELDS,
    SAMPLING_FIELDS,
    TensorrtLlmOptions,
)
from pytest_llem.engines.tensorrt_llm.quantization import quant_config
from pytest_llem.errors import ConfigError, EngineError
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel
    from pytest_llem.engines.tensorrt_llm.installed import TensorrtLlm

OWN_FIELD = {
    "model": "model",
    "revision": "revision",
    "dtype": "dtype",
    "tensor_parallel_size": "tensor_parallel_size",
    "pipeline_parallel_size": "pipeline_parallel_size",
    "enable_build_cache": "the environment variable LLEM_TENSORRT_LLM_ENGINES",
    "return_perf_metrics": "nothing: times are always asked for",
}
"""Arguments that ``extra`` must not have, and what to set instead."""
SEPARATE = frozenset({"backend", "build_config", "quant_config", "kv_cache_config"})
"""Options that do not go to ``LLM`` as they are."""
MAPPINGS = {
    "scheduler_config": "SchedulerConfig",
    "calib_config": "CalibConfig",
    "extended_runtime_perf_knob_config": "ExtendedRuntimePerfKnobConfig",
    "cuda_graph_config": "CudaGraphConfig",
    "torch_compile_config": "TorchCompileConfig",
    "moe_config": "MoeConfig",
    "attention_dp_config": "AttentionDpConfig",
    "cache_transceiver_config": "CacheTransceiverConfig",
}
"""Options that are mappings here and classes of ``tensorrt_llm.llmapi`` there."""


def llm_arguments(
    config: ExperimentConfig, source: ResolvedModel, shipped: str | None, installed: TensorrtLlm
) -> dict[str, Any]:
    """Keyword arguments of the backend's ``LLM``; what is not set is left to it.

    Args:
        config: the experiment.
        source: where the model was found.
        shipped: how the checkpoint says that it is quantized.
        installed: the package.

    Raises:
        ConfigError: an argument that ``LLM`` does not know, that has a field of its own, or a
            value that one of its parts refuses.
        EngineError: an option of the other backend, or of another version.
    """
    section = config.tensorrt_llm
    separate = {*KV_CACHE_FIELDS, *OWN_FIELDS, *SAMPLING_FIELDS, "extra"}
    given = section.model_dump(exclude=separate, exclude_none=True)
    _check_extra(config, installed)
    _check_backend(given, installed)
    arguments: dict[str, Any] = {
        "model": source.path_or_id,
        "revision": source.revision,
        "tokenizer_revision": source.revision,
        "dtype": config.dtype,
        "tensor_parallel_size": config.tensor_parallel_size,
        "pipeline_parallel_size": config.pipeline_parallel_size,
        "return_perf_metrics": True,  # else there are no times
        "kv_cache_config": _part(installed, "KvCacheConfig", "kv_cache_config", _kv_cache(config)),
        **{
            name: _value(installed, name, one)
            for name, one in given.items()
            if name not in SEPARATE
        },
        **section.extra,
    }
    if (quantized := quant_config(config, shipped, installed)) is not None:
        arguments["quant_config"] = quantized
    if (build := given.get("build_config")) is not None:
        arguments["build_config"] = _build_config(installed, build, given)
    if installed.backend == "_autodeploy":
        arguments["backend"] = installed.backend
    return arguments


def backend_of(config: ExperimentConfig) -> str:
    """``pytorch`` unless the section says otherwise."""
    return config.tensorrt_llm.backend or "pytorch"


def _kv_cache(config: ExperimentConfig) -> dict[str, Any]:
    """Fields of ``KvCacheConfig``: the mapping, and the options that stand beside it.

    Raises:
        ConfigError: one is set in both.
    """
    section = config.tensorrt_llm
    mapping = dict(section.kv_cache_config or {})
    for option, field in KV_CACHE_FIELDS.items():
        value = getattr(section, option)
        if field in mapping and option in section.given():
            raise ConfigError(
                f"tensorrt_llm.{option} and tensorrt_llm.kv_cache_config[{field!r}] set the same. "
                "Drop one."
            )
        if value is not None and field not in mapping:
            mapping[field] = list(value) if isinstance(value, tuple) else value
    return mapping


def _value(installed: TensorrtLlm, name: str, value: Any) -> Any:
    if name == "speculative_config":
        return _speculation(installed, value)
    if name in MAPPINGS:
        return _part(installed, MAPPINGS[name], name, value)
    return value


def _speculation(installed: TensorrtLlm, value: dict[str, Any]) -> Any:
    """Of the class that ``decoding_type`` names; the base class finds it where it can."""
    if "decoding_type" not in value:
        raise ConfigError(
            "tensorrt_llm.speculative_config needs decoding_type, such as 'NGram', 'Eagle' or 'MTP'."
        )
    try:
        base = installed.part("DecodingBaseConfig")
    except EngineError:
        return value
    from_dict = getattr(base, "from_dict", None)
    if from_dict is None:
        return value
    return checked("speculative_config", lambda: from_dict(dict(value)))


def _part(installed: TensorrtLlm, cls: str, option: str, fields: dict[str, Any]) -> Any:
    made = installed.part(cls)
    return checked(option, lambda: made(**fields))


def checked(option: str, make: Any) -> Any:
    """What *make* makes of the value of *option*.

    Raises:
        ConfigError: TensorRT-LLM refuses the value.
    """
    try:
        return make()
    except (TypeError, ValueError, AssertionError) as error:  # pydantic's are ValueErrors
        said = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise ConfigError(
            f"tensorrt_llm.{option}: TensorRT-LLM refuses it: {said[:400]}"
        ) from error


def _build_config(installed: TensorrtLlm, fields: dict[str, Any], given: dict[str, Any]) -> Any:
    """A ``BuildConfig``, with limits that stand beside it in the section, and plugins by name.

    ``LLM`` makes one of those limits itself, but takes one that is given as it is.

    Raises:
        ConfigError: a field or plugin that there is not, or a limit that is set in both.
    """
    limits = {name: given[name] for name in LIMITS if name in given}
    if both := sorted(limits.keys() & fields.keys()):
        raise ConfigError(
            f"tensorrt_llm.{both[0]} and tensorrt_llm.build_config[{both[0]!r}] set the same. Drop one."
        )
    plain = {**limits, **fields}
    plugins = plain.pop("plugin_config", {})
    build = _part(installed, "BuildConfig", "build_config", plain)
    for name, value in plugins.items():
        if not hasattr(build.plugin_config, name):
            known = [one for one in dir(build.plugin_config) if not one.startswith("_")]
            raise ConfigError(
                f"tensorrt_llm.build_config: there is no plugin option {name!r}. {suggest(name, known)}"
            )
        setattr(build.plugin_config, name, value)
    return build


LIMITS = ("max_batch_size", "max_num_tokens", "max_seq_len", "max_input_len", "max_beam_width")
"""Options that limit an engine when it is built."""


def _check_extra(config: ExperimentConfig, installed: TensorrtLlm) -> None:
    for key in config.tensorrt_llm.extra:
        if key in OWN_FIELD:
            raise ConfigError(
                f"tensorrt_llm.extra[{key!r}] has a place of its own: set {OWN_FIELD[key]} instead."
            )
        if key in TensorrtLlmOptions.model_fields:
            raise ConfigError(
                f"tensorrt_llm.extra[{key!r}] has a field of its own: set tensorrt_llm.{key} instead."
            )
        if installed.arguments is not None and key not in installed.arguments:
            raise ConfigError(
                f"tensorrt_llm.extra[{key!r}]: LLM of TensorRT-LLM {installed.version} knows no such "
                f"argument. {suggest(key, sorted(installed.arguments))}"
            )


def _check_backend(given: dict[str, Any], installed: TensorrtLlm) -> None:
    """Refuse an option that this backend or this version does not have."""
    if installed.arguments is None:
        return
    for name in given.keys() - SEPARATE - installed.arguments:
        _refuse(name, installed)
    for name in ("build_config", "quant_config"):
        if name in given and not installed.compiled:
            _refuse(name, installed)


def _refuse(name: str, installed: TensorrtLlm) -> None:
    if name in installed.others or name in {"build_config", "quant_config"}:
        other = "pytorch" if installed.compiled else "tensorrt"
        raise EngineError(
            f"tensorrt_llm.{name} has an effect with tensorrt_llm.backend={other!r} only, and this "
            f"experiment has {installed.backend!r}. Leave it unset, or change the backend."
        )
    raise EngineError(
        f"tensorrt_llm.{name} is no argument of LLM in TensorRT-LLM {installed.version}. Leave it "
        "unset, or install a version that has it."
    )
