"""Which scheme stores a model's weights: as it was saved, or as an experiment asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_llem.plan.memory.blocks import MATRICES
from pytest_llem.plan.memory.facts import UnknownModelError
from pytest_llem.plan.memory.scheme import Scheme, kept_layers

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.plan.memory.blocks import Part
    from pytest_llem.plan.memory.facts import ModelFacts

HALF, SINGLE = 2, 4
NF4_BLOCK = 64
"""Weights that share a scale in bitsandbytes' four bits (QLoRA, arXiv 2305.14314)."""
NESTED = 256
"""Scales that share a scale of theirs, with double quantization (the same paper)."""
MX_BLOCK = 32
"""Of the microscaling formats (OCP specification 1.0)."""
NVFP4_BLOCK = 16
EXPERTS: frozenset[Part] = frozenset({"expert"})
EXCEPTIONS = (
    "modules_to_not_convert",
    "ignored_layers",
    "ignore",
    "llm_int8_skip_modules",
    "exclude_modules",
)


def scheme_of(config: ExperimentConfig, facts: ModelFacts) -> Scheme | None:
    """How the weights lie in memory; ``None`` if they are not quantized.

    Raises:
        UnknownModelError: by a method whose layout is not known here, or one that the model
            would have to be saved in and is not.
    """
    given = facts.quantization
    if given is not None:
        return None if _is_undone(config, given) else _saved(given)
    return None if config.quantization is None else _asked(config, config.quantization)


def _is_undone(config: ExperimentConfig, given: Mapping[str, Any]) -> bool:
    """Whether transformers turns the weights back, as it does with these without a GPU."""
    on_cpu = config.backend == "transformers" and config.device == "cpu"
    return on_cpu and given.get("quant_method") in {"fp8", "mxfp4"}


def _asked(config: ExperimentConfig, name: str) -> Scheme:
    """What engines make of weights that were saved in full."""
    if name in {"awq", "gptq"}:
        raise UnknownModelError(f"quantization={name!r} needs a model that was saved in {name}")
    if config.backend == "transformers":
        if name == "fp8":
            raise UnknownModelError(
                "quantization='fp8' with transformers needs a model saved in fp8"
            )
        # transformers 5 keeps all experts of a layer in one tensor, which is no nn.Linear.
        parts = MATRICES - EXPERTS
        return bitsandbytes({"load_in_8bit": name == "int8"}, parts)
    if name == "fp8":
        return Scheme("fp8", 8)
    if name == "int8":
        return Scheme("int8, a scale an output", 8, scale_bytes=SINGLE)
    return bitsandbytes({}, MATRICES)


def bitsandbytes(given: Mapping[str, Any], parts: frozenset[Part]) -> Scheme:
    """Eight bits with a scale an output, or four bits (NF4, FP4) with one per 64 weights."""
    kept = _exceptions(given)
    if given.get("load_in_8bit") or given.get("_load_in_8bit"):
        name = "bitsandbytes int8"
        return Scheme(name, 8, scale_bytes=SINGLE, parts=parts, kept=kept)
    kind = str(given.get("bnb_4bit_quant_type") or "nf4")
    double = bool(given.get("bnb_4bit_use_double_quant"))
    scale = 1 + SINGLE / NESTED if double else SINGLE
    name = f"bitsandbytes {kind}{', double' * double}"
    return Scheme(name, 4, group=NF4_BLOCK, scale_bytes=scale, parts=parts, kept=kept)


def _saved(given: Mapping[str, Any]) -> Scheme:
    method = str(given.get("quant_method") or given.get("quant_algo") or "").lower()
    if not method and ("load_in_4bit" in given or "load_in_8bit" in given):
        method = "bitsandbytes"
    reader = _READERS.get(method)
    if reader is None:
        raise UnknownModelError(
            f"how much {method or 'its'!s} quantization takes is not known here"
        )
    return reader(given)


def _bits(given: Mapping[str, Any]) -> int:
    bits = given.get("bits") or given.get("w_bit") or given.get("num_bits")
    if not isinstance(bits, int):
        raise UnknownModelError("its quantization_config does not say how many bits a weight has")
    return bits


def _group(given: Mapping[str, Any]) -> int:
    size = given.get("group_size") or given.get("q_group_size") or 0
    return max(int(size), 0) if isinstance(size, int) else 0


def _grouped(name: str, given: Mapping[str, Any]) -> str:
    group = _group(given)
    return f"{name} int{_bits(given)}" + (f", groups of {group}" if group else "")


def _awq(given: Mapping[str, Any]) -> Scheme:
    bits = _bits(given)
    return Scheme(
        _grouped("awq", given),
        bits,
        group=_group(given),
        scale_bytes=HALF,
        zero_bits=bits,
        kept=_exceptions(given),
    )


def _gptq(given: Mapping[str, Any]) -> Scheme:
    bits = _bits(given)
    return Scheme(
        _grouped("gptq", given),
        bits,
        group=_group(given),
        scale_bytes=HALF,
        zero_bits=bits,
        indexed=True,
        kept=_exceptions(given),
    )


def _fp8(given: Mapping[str, Any]) -> Scheme:
    match given.get("weight_block_size"):
        case [int(rows), int(columns)]:
            tile = {"group": columns, "tile": rows, "scale_bytes": float(SINGLE)}
            return Scheme(f"fp8, {rows} × {columns} a scale", 8, **tile, kept=_exceptions(given))  # type: ignore[arg-type]
    scale = SINGLE if given.get("quant_method") == "fbgemm_fp8" else 0
    return Scheme("fp8", 8, scale_bytes=scale, kept=_exceptions(given))


def _mxfp4(given: Mapping[str, Any]) -> Scheme:
    return Scheme("mxfp4", 4, group=MX_BLOCK, scale_bytes=1, parts=EXPERTS, kept=_exceptions(given))


def _modelopt(given: Mapping[str, Any]) -> Scheme:
    algorithm = str(given.get("quant_algo") or "").upper()
    if algorithm == "FP8":
        return Scheme("fp8", 8, kept=_exceptions(given))
    if algorithm == "NVFP4":
        return Scheme("nvfp4", 4, group=NVFP4_BLOCK, scale_bytes=1, kept=_exceptions(given))
    raise UnknownModelError(f"how much {algorithm or 'its'} quantization takes is not known here")


def _compressed(given: Mapping[str, Any]) -> Scheme:
    """compressed-tensors: one group of weights; several differ in what they target."""
    groups = given.get("config_groups")
    found = list(groups.values()) if isinstance(groups, Mapping) else []
    weights = [one.get("weights") for one in found if isinstance(one, Mapping)]
    if len(weights) != 1 or not isinstance(weights[0], Mapping):
        raise UnknownModelError("its compressed-tensors configuration has not one group of weights")
    how = weights[0]
    bits, group = _bits(how), _group(how)
    kind = "fp" if how.get("type") == "float" else "int"
    scale = 0 if how.get("strategy") == "tensor" else HALF
    return Scheme(
        f"compressed-tensors {kind}{bits}" + (f", groups of {group}" if group else ""),
        bits,
        group=group,
        scale_bytes=scale,
        zero_bits=bits if how.get("symmetric") is False else 0,
        kept=_exceptions(given),
    )


def _bitsandbytes_saved(given: Mapping[str, Any]) -> Scheme:
    return bitsandbytes(given, MATRICES)


def _exceptions(given: Mapping[str, Any]) -> tuple[tuple[Part, int], ...]:
    patterns = (given.get(name) for name in EXCEPTIONS)
    return kept_layers(one for found in patterns if isinstance(found, list) for one in found)


_READERS = {
    "awq": _awq,
    "gptq": _gptq,
    "fp8": _fp8,
    "fbgemm_fp8": _fp8,
    "mxfp4": _mxfp4,
    "modelopt": _modelopt,
    "compressed-tensors": _compressed,
    "bitsandbytes": _bitsandbytes_saved,
}
