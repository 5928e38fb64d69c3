"""The folder of a model in the form that ONNX Runtime GenAI reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.engines.model_source import resolve_model
from pytest_llem.errors import EngineError
from pytest_llem_onnx.export import exported

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig

READY = "genai_config.json"


@dataclass(frozen=True, slots=True)
class Model:
    """A folder with ``genai_config.json``, and what is known of it."""

    folder: str
    described: dict[str, Any]


def find_model(config: ExperimentConfig, library_version: str) -> Model:
    """The model of *config*: a folder that is ready, else one exported from a model's folder.

    Raises:
        ModelNotFoundError: there is no such model.
        EngineError: it is on the hub, or in a precision that cannot be had, or the export fails.
    """
    folder = Path(config.model).expanduser()
    if (folder / READY).is_file():
        if config.quantization is not None or config.dtype != "auto":
            raise EngineError(
                f"{config.model!r} was exported already, in the precision it has. Leave dtype and "
                "quantization unset, or name the folder that it was exported from."
            )
        return Model(
            str(folder), {"dtype": None, "quantization": None, "model": _named(config, "onnx")}
        )
    source = resolve_model(config.model, config.revision)
    if source.kind == "hub":
        raise EngineError(
            f"{config.model!r} is on the hub, and the onnx engine takes folders only. Download it, "
            "and name its folder."
        )
    precision = _precision(config)
    made = exported(Path(source.path_or_id), source.sha256, precision, library_version)
    return Model(
        str(made),
        {
            "dtype": "float32",
            "quantization": config.quantization,
            "model": {
                **_named(config, source.kind),
                "sha256": source.sha256,
                "precision": precision,
            },
        },
    )


def _named(config: ExperimentConfig, kind: str) -> dict[str, Any]:
    return {"name": config.model, "kind": kind, "revision": None}


def _precision(config: ExperimentConfig) -> str:
    """What the builder calls it; on CPUs it offers fp32, int8 and int4."""
    if config.dtype not in {"auto", "float32"}:
        raise EngineError(
            f"dtype={config.dtype!r}: the onnx engine computes in float32 on a CPU. Use 'float32'."
        )
    if config.quantization not in {None, "int8", "int4"}:
        raise EngineError(
            f"quantization={config.quantization!r}: the onnx engine has int8 and int4. Use one of them."
        )
    return config.quantization or "fp32"
