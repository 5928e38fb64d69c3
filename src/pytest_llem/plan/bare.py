"""A single experiment from options alone, without a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.config.layers.layer import Layers, layered
from pytest_llem.errors import ConfigError
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.given_elsewhere import with_origins
from pytest_llem.plan.possible import why_impossible

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.plan.overrides import Overrides

NONE = Layers()


def bare_experiment(overrides: Overrides, standing: Layers = NONE) -> ExperimentConfig:
    """What holds anyway (*standing*), with *overrides* in place of some.

    Raises:
        ConfigError: it cannot be carried out as asked.
    """
    return experiment_of(layered([*standing, *overrides.given()]))


def experiment_of(layers: Layers) -> ExperimentConfig:
    """The experiment that *layers* ask for.

    Raises:
        ConfigError: it cannot be carried out as asked, and who asked for it.
    """
    config = Assembly("", layers.leaves).config(())
    reason = why_impossible(config)
    if reason is None:
        return config
    raise ConfigError(f"{with_origins(reason, layers.origins)}.")
