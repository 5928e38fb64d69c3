"""Which quantization each backend can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.errors import ConfigError, EngineError
from pytest_llem.registry import suggest

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.tensorrt_llm.installed import TensorrtLlm

ALGORITHMS = {
    "int8": "W8A16",
    "int4": "W4A16",
    "fp8": "FP8",
    "awq": "W4A16_AWQ",
    "gptq": "W4A16_GPTQ",
}
"""Our names to members of ``QuantAlgo``, which the compiled path quantizes to."""
SHIPPED = {
    "fp8": ("fp8",),
    "awq": ("awq",),
    "gptq": ("gptq",),
    "int8": ("w8a16", "int8"),
    "int4": ("w4a16", "int4"),
}
"""Parts of what checkpoints call these quantizations."""
ALGORITHM_FIELDS = ("quant_algo", "kv_cache_quant_algo")


def names(quantization: str, shipped: str | None) -> bool:
    """Whether a checkpoint that calls its quantization *shipped* is quantized so."""
    return shipped is not None and any(part in shipped.lower() for part in SHIPPED[quantization])


def quant_config(
    config: ExperimentConfig, shipped: str | None, installed: TensorrtLlm
) -> Any | None:
    """A ``QuantConfig`` for the compiled path; ``None`` if weights are taken as they are.

    Args:
        config: the experiment.
        shipped: how the checkpoint says that it is quantized.
        installed: the package.

    Raises:
        ConfigError: two fields say how to quantize, or an algorithm is unknown.
        EngineError: the PyTorch backend, which never quantizes, was asked to.
    """
    asked, given = config.quantization, config.tensorrt_llm.quant_config
    if not installed.compiled:
        _check_shipped(asked, shipped)
        return None
    if asked is not None and given is not None:
        raise ConfigError(
            f"quantization={asked!r} and tensorrt_llm.quant_config both say how to quantize. Drop one."
        )
    if asked is not None and not names(asked, shipped):
        given = {"quant_algo": ALGORITHMS[asked]}
    if given is None:
        return None
    return installed.part("QuantConfig")(**_with_algorithms(given, installed))


def _check_shipped(asked: str | None, shipped: str | None) -> None:
    """The PyTorch backend takes weights as they are (``LLM`` there has no ``quant_config``)."""
    if asked is None or names(asked, shipped):
        return
    really = "is not quantized" if shipped is None else f"is quantized as {shipped}"
    raise EngineError(
        f"quantization={asked!r}: TensorRT-LLM's PyTorch backend takes weights as they are, and this "
        f"model {really}. Name a checkpoint that was quantized beforehand, or set "
        "tensorrt_llm.backend='tensorrt', which quantizes while it builds."
    )


def _with_algorithms(given: dict[str, Any], installed: TensorrtLlm) -> dict[str, Any]:
    algorithms = installed.part("QuantAlgo")
    known = [member.name for member in algorithms]
    found = dict(given)
    for field in ALGORITHM_FIELDS:
        name = found.get(field)
        if name is None:
            continue
        if str(name).upper() not in known:
            raise ConfigError(
                f"tensorrt_llm.quant_config: there is no {field} {name!r}. "
                f"{suggest(str(name).upper(), known)}"
            )
        found[field] = algorithms[str(name).upper()]
    return found
