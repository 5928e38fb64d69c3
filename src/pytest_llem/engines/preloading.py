"""Importing ahead what an experiment's engine will need."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pytest_llem.engines import ENGINES
from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from collections.abc import Mapping


def preload(experiment: Mapping[str, Any]) -> None:
    """Have the engine of *experiment* (its configuration as JSON values) import its modules.

    Its section is imported as well, since engines ask for options that nobody has set. An
    engine may have a function ``preload(config)`` without ``self``. It imports, down to the
    classes of the model, and does nothing else: builds no model, asks no device, starts no
    thread. What is wrong with the experiment is left for its own process to say.
    """
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.sections import MODELS, model_of

    with contextlib.suppress(LlemError, ValueError):
        config = ExperimentConfig.model_validate(experiment)
        if config.backend in MODELS:
            model_of(config.backend)
        imports = getattr(ENGINES.load(config.backend), "preload", None)
        if imports is not None:
            imports(config)
