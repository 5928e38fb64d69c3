"""The TensorRT-LLM engine, on NVIDIA GPUs."""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.engines.at_hand import at_hand
from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
from pytest_llem.engines.model_source import resolve_model
from pytest_llem.engines.output import EngineOutput
from pytest_llem.engines.processes import EngineProcesses, forgetting
from pytest_llem.engines.surroundings import surrounded
from pytest_llem.engines.tensorrt_llm.building import engine_facts, obtain_engine, run_arguments
from pytest_llem.engines.tensorrt_llm.checkpoint import quantization_of
from pytest_llem.engines.tensorrt_llm.faults import explained
from pytest_llem.engines.tensorrt_llm.installed import import_tensorrt_llm
from pytest_llem.engines.tensorrt_llm.loaded import Loaded
from pytest_llem.engines.tensorrt_llm.options import backend_of, llm_arguments
from pytest_llem.engines.tensorrt_llm.sampling import sampling_parameters
from pytest_llem.engines.tensorrt_llm.session import TensorrtLlmSession
from pytest_llem.engines.tensorrt_llm.surroundings import variables
from pytest_llem.errors import EngineError, ModelNotFoundError

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel
    from pytest_llem.engines.tensorrt_llm.build_cache import BuiltEngine
    from pytest_llem.engines.tensorrt_llm.installed import TensorrtLlm

LESS_MEMORY = (
    "Try a smaller tensorrt_llm.free_gpu_memory_fraction, max_num_tokens, max_batch_size or "
    "max_seq_len, a quantized model, more GPUs with tensor_parallel_size, or a smaller model."
)
NOT_NEEDED = ["original/*", "*.pth", "*.gguf", "*.onnx", "*.h5", "*.msgpack"]
"""Files of a hub model that are weights once more, in formats that are not read here."""


class TensorrtLlmEngine:
    """Loads models with ``LLM``, of the PyTorch backend or of compiled engines."""

    name: ClassVar[str] = "tensorrt_llm"
    api_version: ClassVar[int] = 1

    def load(self, config: ExperimentConfig) -> TensorrtLlmSession:
        """Load the model that *config* names; build an engine for it first where that is asked for.

        Raises:
            MissingExtraError: TensorRT-LLM is not installed.
            ModelNotFoundError: there is no such model.
            OutOfMemoryError: the model, its key-value cache, or the build of its engine does not fit.
            ConfigError: an option that TensorRT-LLM does not know or refuses.
            EngineError: no NVIDIA driver, a version that is too old, or an option that is not
                possible here.
        """
        _check_device(config.device)
        with surrounded(variables(config, os.environ)), warnings.catch_warnings():
            warnings.simplefilter("default")  # what it imports warns, which fails no experiment
            installed = import_tensorrt_llm(backend_of(config))
            source = resolve_model(config.model, config.revision)
            return _load(config, source, _folder(source), installed)


def _load(
    config: ExperimentConfig, source: ResolvedModel, folder: Path, installed: TensorrtLlm
) -> TensorrtLlmSession:
    processes, output = EngineProcesses(), EngineOutput("tensorrt_llm")
    try:
        with (
            explained(
                doing=f"load the model {config.model!r}",
                try_instead=LESS_MEMORY,
                cause=output.cause,
            ),
            output,
        ):
            loaded = _loaded(config, source, folder, installed, processes)
            try:
                return TensorrtLlmSession(loaded, processes, output)
            except BaseException:
                loaded.llm.shutdown()
                raise
    except BaseException as error:
        with forgetting(error):
            processes.end(0.0)
        output.close()
        raise


def _loaded(
    config: ExperimentConfig,
    source: ResolvedModel,
    folder: Path,
    installed: TensorrtLlm,
    processes: EngineProcesses,
) -> Loaded:
    at = str(folder)
    arguments = llm_arguments(config, source, quantization_of(folder), installed)
    sampling = sampling_parameters(config, installed)
    arguments |= {"model": at, "revision": None}
    arguments.setdefault("tokenizer", at)
    if arguments["tokenizer"] == at:
        arguments["tokenizer_revision"] = None
    model_config, tokenizer, end_ids = _text_parts(config, folder, arguments["tokenizer"])
    gpus = _gpus(_ranks(config))
    engine: BuiltEngine | None = None
    if installed.compiled:
        key_gpus = [{name: one for name, one in gpu.items() if name != "uuid"} for gpu in gpus]
        facts = engine_facts(_keyed(arguments, at), source, folder, installed, key_gpus)
        engine = obtain_engine(arguments, facts, installed, processes.end)
        arguments = run_arguments(arguments, engine, arguments["tokenizer"])
    return Loaded(
        installed=installed,
        llm=installed.model_class(**arguments),
        config=config,
        source=source,
        folder=folder,
        model_config=model_config,
        tokenizer=tokenizer,
        end_ids=end_ids,
        engine=engine,
        gpus=gpus,
        environment=dict(os.environ),
        generate_arguments=_adapter(arguments),
        sampling=sampling,
    )


def _keyed(arguments: dict[str, Any], folder: str) -> dict[str, Any]:
    """*arguments* without the place of the model: its content says which one it is."""
    return {
        name: value
        for name, value in arguments.items()
        if not (name == "tokenizer" and value == folder)
    }


def _text_parts(
    config: ExperimentConfig, folder: Path, tokenizer: str
) -> tuple[Any, HuggingFaceTokenizer, tuple[int, ...]]:
    """The text part of the model's configuration, its tokenizer, and what ends a sequence."""
    transformers = import_module("transformers")
    trust = bool(config.tensorrt_llm.trust_remote_code)
    revision = config.tensorrt_llm.tokenizer_revision
    try:
        whole = transformers.AutoConfig.from_pretrained(str(folder), trust_remote_code=trust)
        text = whole.get_text_config() if hasattr(whole, "get_text_config") else whole
        found = transformers.AutoTokenizer.from_pretrained(
            tokenizer, trust_remote_code=trust, **({"revision": revision} if revision else {})
        )
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            f"cannot read the configuration or the tokenizer of {config.model!r}: {error}"
        ) from error
    ends = getattr(text, "eos_token_id", None)
    end_ids = tuple([ends] if isinstance(ends, int) else ends or ())
    return text, HuggingFaceTokenizer(found, int(text.vocab_size), end_ids), end_ids


def _adapter(arguments: dict[str, Any]) -> dict[str, Any]:
    """The low-rank adapter that every request uses, where exactly one is loaded."""
    lora = arguments.get("lora_config")
    folders = lora.get("lora_dir") if isinstance(lora, dict) else getattr(lora, "lora_dir", None)
    if not folders or len(folders) != 1:
        return {}
    request = import_module("tensorrt_llm.executor").LoRARequest
    return {"lora_request": request("adapter", 1, str(folders[0]))}


def _ranks(config: ExperimentConfig) -> int:
    context = config.tensorrt_llm.context_parallel_size or 1
    return config.tensor_parallel_size * config.pipeline_parallel_size * context


def _gpus(count: int) -> list[dict[str, Any]]:
    """The first *count* GPUs that this process sees; empty where torch sees none."""
    cuda = import_module("torch").cuda
    if not cuda.is_available():
        return []
    found = [cuda.get_device_properties(i) for i in range(min(count, cuda.device_count()))]
    return [
        {
            "name": str(one.name),
            "compute_capability": f"{one.major}.{one.minor}",
            "uuid": None if getattr(one, "uuid", None) is None else f"GPU-{one.uuid}",
        }
        for one in found
    ]


def _check_device(device: str) -> None:
    if device != "auto" and not device.startswith("cuda"):
        raise EngineError(
            f"device={device!r}, but TensorRT-LLM runs on NVIDIA GPUs only. Use device='cuda', or "
            "another engine."
        )


def _folder(source: ResolvedModel) -> Path:
    """Where the model's files are; those of a hub model are downloaded first.

    Raises:
        ModelNotFoundError: they cannot be had completely.
    """
    if source.kind != "hub" or source.offline:
        return Path(at_hand(source).path_or_id)
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                source.path_or_id, revision=source.revision, ignore_patterns=NOT_NEEDED
            )
        )
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            f"{source.path_or_id!r} cannot be downloaded: {error} Check the connection and the room "
            "on the disk."
        ) from error
