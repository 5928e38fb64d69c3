"""What transformers imports once a model is loaded, imported ahead of it."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig

LAZY = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer", "GenerationConfig")


def preload(config: ExperimentConfig) -> None:
    """Import torch, transformers and the classes of the model that *config* names.

    A model on the hub is looked for in the local cache only, and code that a model brings
    along is left alone.
    """
    if config.transformers.trust_remote_code:
        _imported()
    else:
        _classes(config.model, config.revision)


@cache
def _classes(model: str, revision: str | None) -> None:
    transformers = _imported()
    with contextlib.suppress(Exception):  # the experiment itself will say what is wrong
        described = transformers.AutoConfig.from_pretrained(
            _location(model), revision=revision, local_files_only=True
        )
        transformers.AutoModelForCausalLM._model_mapping[type(described)]  # noqa: SLF001


@cache
def _imported() -> Any:
    for package in ("torch", "transformers"):
        try:
            module = import_module(package)
        except ImportError:
            return None
    for name in LAZY:
        getattr(module, name, None)
    return module


def _location(model: str) -> str:
    from pytest_llem.engines.model_source import BUILTIN_PREFIX, resolve_model

    return resolve_model(model).path_or_id if model.startswith(BUILTIN_PREFIX) else os.fspath(model)
