"""What of an experiment reaches ``from_pretrained``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.transformers.decoding import check_decoding
from pytest_llem.errors import ConfigError, EngineError, MissingExtraError

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel

RESERVED = frozenset({"output_loading_info"})
"""Keyword arguments without whose values the engine does not know what it has loaded."""
SHIPPED = ("fp8", "awq", "gptq")


def check_supported(config: ExperimentConfig) -> None:
    """Refuse what the transformers engine does not do.

    Raises:
        EngineError: more than one device is asked for by parallelism.
        ConfigError: ``transformers.extra`` repeats what has a field of its own.
    """
    for field in ("tensor_parallel_size", "pipeline_parallel_size"):
        if (size := getattr(config, field)) > 1:
            raise EngineError(
                f"{field}={size}: the transformers engine runs in one process. Use 1 and spread the "
                "model with transformers.device_map='auto', or another backend such as vllm."
            )
    for key in config.transformers.extra:
        if key in RESERVED:
            raise ConfigError(
                f"transformers.extra[{key!r}]: the engine itself sets it. Leave it out."
            )
        if own := _field_of(key):
            raise ConfigError(
                f"transformers.extra[{key!r}] has a field of its own: set {own} instead."
            )
    if config.quantization and "quantization_config" in config.transformers.given():
        raise ConfigError(
            f"quantization={config.quantization!r} and transformers.quantization_config both say how "
            "weights are quantized. Leave one of them unset."
        )
    check_decoding(config)


def _field_of(argument: str) -> str | None:
    """The field of an experiment that sets an argument, ``None`` if there is none."""
    from pytest_llem.config.engines.transformers import GENERATION_FIELDS, TransformersOptions

    if argument in TransformersOptions.GROUPS["from_pretrained"] | GENERATION_FIELDS:
        return f"transformers.{argument}"
    return TransformersOptions.ELSEWHERE.get(f"from_pretrained.{argument}")


def check_device(config: ExperimentConfig, device: str) -> None:
    """Refuse options that only exist on a GPU.

    Raises:
        EngineError: the key-value cache is to be offloaded from a CPU.
    """
    cache = config.transformers.cache_implementation
    if device == "cpu" and cache in {"offloaded", "offloaded_static"}:
        raise EngineError(
            f"transformers.cache_implementation={cache!r} moves the cache from a GPU to the host, and "
            "this experiment runs on cpu. Use 'dynamic' or 'static', or device='cuda'."
        )
    if device == "cpu" and "compile_config" in config.transformers.given():
        raise EngineError(
            "transformers.compile_config is of what generate compiles by itself, which it does on GPUs "
            "only, and this experiment runs on cpu. Use torch_compile with its own options."
        )


def pretrained_arguments(
    config: ExperimentConfig, source: ResolvedModel, device: str, transformers: Any
) -> dict[str, Any]:
    """Keyword arguments of ``AutoModelForCausalLM.from_pretrained``.

    Raises:
        MissingExtraError: ``device_map`` without accelerate.
        EngineError: a quantization that is not possible here.
    """
    arguments: dict[str, Any] = {
        **location(config, source),
        "dtype": config.dtype,
        "output_loading_info": True,
    }
    arguments |= _loading_arguments(config, transformers)
    if device_map := _device_map(config, device):
        arguments["device_map"] = device_map
    if config.quantization in {"int8", "int4"}:
        arguments["quantization_config"] = _bitsandbytes(config, device, transformers)
    return arguments | config.transformers.extra


def _loading_arguments(config: ExperimentConfig, transformers: Any) -> dict[str, Any]:
    """What of the section ``from_pretrained`` takes under the same name."""
    given = config.transformers.given()
    if not given:
        return {}
    from pytest_llem.config.engines.transformers import LOADING_FIELDS

    arguments = {name: given[name] for name in given.keys() & LOADING_FIELDS}
    if "kernel_config" in arguments:
        arguments["kernel_config"] = transformers.KernelConfig(arguments["kernel_config"])
    if "max_memory" in arguments:  # JSON has texts for keys, and GPUs are numbers
        arguments["max_memory"] = {
            int(key) if str(key).isdigit() else key: size
            for key, size in arguments["max_memory"].items()
        }
    return arguments


def location(config: ExperimentConfig, source: ResolvedModel) -> dict[str, Any]:
    """The arguments that every ``from_pretrained`` of this model takes."""
    given = config.transformers.given()
    return {
        "pretrained_model_name_or_path": source.path_or_id,
        "revision": source.revision,
        "local_files_only": source.offline,
        "trust_remote_code": config.transformers.trust_remote_code,
        **{
            name: given[name]
            for name in ("subfolder", "gguf_file", "code_revision")
            if name in given
        },
    }


def _device_map(config: ExperimentConfig, device: str) -> str | dict[str, int | str] | None:
    """Where the weights go as they are read; ``None`` reads them on the CPU first."""
    accelerate = find_spec("accelerate") is not None
    if config.transformers.device_map is not None:
        if not accelerate:
            raise MissingExtraError("accelerate (for transformers.device_map)", "transformers")
        return config.transformers.device_map
    return device if accelerate and device != "cpu" else None


def _bitsandbytes(config: ExperimentConfig, device: str, transformers: Any) -> Any:
    asked = f"quantization={config.quantization!r} with the transformers engine"
    if not device.startswith("cuda"):
        raise EngineError(
            f"{asked} needs a CUDA device, and this experiment runs on {device}. "
            "Leave quantization unset, or use a machine with a GPU."
        )
    if find_spec("bitsandbytes") is None:
        raise EngineError(
            f"{asked} needs bitsandbytes, which is not installed. "
            "Install it with: pip install bitsandbytes"
        )
    if config.quantization == "int8":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    compute = {} if config.dtype == "auto" else {"bnb_4bit_compute_dtype": config.dtype}
    return transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", **compute)


def shipped_quantization(model: Any) -> str | None:
    """The method by which the model's weights are quantized, ``None`` if they are not."""
    shipped = getattr(model.config, "quantization_config", None)
    if shipped is None:
        return None
    method = shipped.get("quant_method") if isinstance(shipped, dict) else shipped.quant_method
    return str(getattr(method, "value", method))


def require_shipped(config: ExperimentConfig, model: Any) -> None:
    """Make sure that a model asked for as fp8, awq or gptq really is that.

    Raises:
        EngineError: it is not; transformers does not make such models on the fly.
    """
    shipped = shipped_quantization(model)
    if config.quantization in SHIPPED and shipped != config.quantization:
        raise EngineError(
            f"quantization={config.quantization!r} with the transformers engine takes a model whose "
            f"weights already are in {config.quantization}; those of {config.model!r} are "
            f"{'not quantized' if shipped is None else shipped}. Choose such a model, or int8 or int4."
        )
