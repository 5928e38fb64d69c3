"""The engine: from an experiment's configuration to a loaded model."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.errors import ConfigError, EngineError
from pytest_llem_onnx.folder import find_model
from pytest_llem_onnx.options import OnnxOptions
from pytest_llem_onnx.session import Loaded, OnnxSession
from pytest_llem_onnx.tokenizer import OnnxTokenizer

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig

ONE_DEVICE = ("tensor_parallel_size", "pipeline_parallel_size")


class OnnxEngine:
    """Loads models with ONNX Runtime GenAI, on the CPU."""

    name: ClassVar[str] = "onnx"
    api_version: ClassVar[int] = 1

    def load(self, config: ExperimentConfig) -> OnnxSession:
        """Load the model that *config* names, exported to ONNX first where it is not yet.

        Raises:
            ConfigError: an option of its section that cannot be.
            ModelNotFoundError: there is no such model.
            EngineError: a package is missing, or the device, data type or quantization is not
                possible here.
        """
        _check_supported(config)
        og = _library()
        model = find_model(config, og.__version__)
        try:
            return OnnxSession(_loaded(og, config, model.folder, model.described))
        except RuntimeError as error:  # the library's only exception
            raise EngineError(f"ONNX Runtime GenAI cannot load {model.folder}: {error}") from error


def _check_supported(config: ExperimentConfig) -> None:
    if config.device not in {"auto", "cpu"}:
        raise EngineError(
            f"device={config.device!r}: the onnx engine runs on CPUs only. Use device='cpu'."
        )
    for field in ONE_DEVICE:
        if getattr(config, field) > 1:
            raise EngineError(f"{field}: the onnx engine runs in one process. Leave it at 1.")


def _library() -> Any:
    try:
        return import_module("onnxruntime_genai")
    except ImportError as error:
        raise EngineError(
            f"onnxruntime_genai cannot be imported: {error}. "
            "Install it with: pip install onnxruntime-genai"
        ) from error


def _loaded(og: Any, config: ExperimentConfig, folder: str, described: dict[str, Any]) -> Loaded:
    with open(f"{folder}/genai_config.json", encoding="utf-8") as file:  # noqa: PTH123 - a text
        settings = json.load(file)["model"]
    session_options = _session_options(OnnxOptions.of(config))
    threads = session_options["intra_op_num_threads"]
    pad = settings["pad_token_id"]
    asked = og.Config(folder)
    asked.overlay(
        json.dumps(
            {
                "model": {
                    # Ending is left to the request: see OnnxSession.generate.
                    "eos_token_id": [pad],
                    "decoder": {"session_options": session_options},
                }
            }
        )
    )
    model = og.Model(asked)
    ends = settings["eos_token_id"]
    tokenizer = OnnxTokenizer(
        og.Tokenizer(model),
        folder,
        vocabulary_size=settings["vocab_size"],
        further_special={pad, *([ends] if isinstance(ends, int) else ends)},
    )
    return Loaded(
        library=og,
        model=model,
        tokenizer=tokenizer,
        pad_id=pad,
        positions=settings["context_length"],
        threads=threads,
        name=config.model,
        described={**described, "effective": {"intra_op_num_threads": threads}},
    )


def _session_options(options: OnnxOptions) -> dict[str, Any]:
    """What the library is told, as in a model's ``genai_config.json``.

    Raises:
        ConfigError: ``extra`` repeats what has an option.
    """
    given = options.given()
    for name in options.extra:
        if name in OnnxOptions.model_fields:
            raise ConfigError(f"onnx.extra[{name!r}] has an option of its own: set onnx.{name}.")
    return {"intra_op_num_threads": _threads(), **given, **options.extra}


def _threads() -> int:
    """As many as ``OMP_NUM_THREADS`` says, else all but one of the cores this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return (
        int(given) if given.isdecimal() and int(given) else max(1, len(os.sched_getaffinity(0)) - 1)
    )
