"""The Hugging Face transformers engine, on a CPU or on NVIDIA GPUs."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_llem.engines.model_source import resolve_model
from pytest_llem.engines.torch_device import (
    default_threads,
    require_dtype,
    resolve_device,
    usable_cores,
)
from pytest_llem.engines.torch_faults import explained
from pytest_llem.engines.transformers_load import load
from pytest_llem.engines.transformers_options import check_device, check_supported
from pytest_llem.engines.transformers_preload import preload
from pytest_llem.engines.transformers_session import TransformersSession
from pytest_llem.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig

LESS_MEMORY = (
    "Try a smaller dtype, quantization='int8' or 'int4', transformers.device_map='auto', "
    "a device with more memory, or a smaller model."
)


class TransformersEngine:
    """Loads causal language models with ``AutoModelForCausalLM``."""

    name: ClassVar[str] = "transformers"
    api_version: ClassVar[int] = 1
    preload = staticmethod(preload)

    def load(self, config: ExperimentConfig) -> TransformersSession:
        """Load the model that *config* names and put it on its device.

        Sets torch's threads (unless ``OMP_NUM_THREADS`` does) and its seed.

        Raises:
            MissingExtraError: torch, transformers or accelerate is not installed.
            ModelNotFoundError: there is no such model.
            OutOfMemoryError: the model does not fit.
            ConfigError: an option that has no effect, or that another one repeats.
            EngineError: a device, data type or option that is not possible here.
        """
        check_supported(config)
        torch, transformers = _import("torch"), _import("transformers")
        device = resolve_device(torch, config.device)
        check_device(config, device)
        require_dtype(torch, config.dtype, device)
        source = resolve_model(config.model, config.revision)
        cores = SMALL_MODEL_CORES if source.kind == "builtin" else usable_cores()
        if (threads := default_threads(os.environ, cores)) is not None:
            torch.set_num_threads(threads)
        torch.manual_seed(config.seed)
        if precision := config.transformers.given().get("float32_matmul_precision"):
            torch.set_float32_matmul_precision(precision)
        doing = f"load the model {config.model!r} on {device}"
        with explained(torch, doing=doing, try_instead=LESS_MEMORY):
            return TransformersSession(load(torch, transformers, config, source, device))


SMALL_MODEL_CORES = 1
"""The built-in model's layers are too small to be shared: further threads only wait."""


def _import(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            raise MissingExtraError(package, "transformers") from None
        raise EngineError(
            f"{package} is installed but cannot be imported: {error}. Reinstall it."
        ) from error
