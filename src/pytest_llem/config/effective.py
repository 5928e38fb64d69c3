"""The effective value of every field, and who gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.layers.layer import BUILT_IN, Layers, Origin
from pytest_llem.config.leaves import SECTIONS, options_of
from pytest_llem.config.sections import MODELS, default_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDED = "engine_options"


@dataclass(frozen=True, slots=True)
class Effective:
    """A field with the value that it has."""

    path: str
    value: Any
    """In JSON's types."""
    origin: Origin


def effective(layers: Layers, *, everything: bool = False) -> Iterator[Effective]:
    """Every field with its value under *layers*, in the order of the models.

    Of the engines' sections those of other engines than the experiment's have only what is
    given, unless *everything* is asked for.
    """
    given = layers.given
    backend = given["backend"].leaf.plain if "backend" in given else _default("backend")
    for name in ExperimentConfig.model_fields:
        if name == ADDED:
            continue
        if name not in SECTIONS:
            yield _of(name, _default(name), layers)
            continue
        whole = everything or name == backend or name not in ENGINE_SECTIONS
        for option in options_of(name):
            path = f"{name}.{option}"
            if whole or path in given:
                yield _of(path, _default_option(name, option), layers)
    for path, one in given.items():
        if path.partition(".")[0] not in ExperimentConfig.model_fields:  # of another distribution
            yield Effective(path, one.leaf.plain, one.origin)


def _of(path: str, default: Any, layers: Layers) -> Effective:
    if path not in layers.given:
        return Effective(path, default, BUILT_IN)
    one = layers.given[path]
    return Effective(path, one.leaf.plain, one.origin)


def _default(name: str) -> Any:
    return ExperimentConfig().model_dump(mode="json", include={name})[name]


def _default_option(section: str, option: str) -> Any:
    model = default_of(section) if section in MODELS else getattr(ExperimentConfig(), section)
    value = getattr(model, option)
    return list(value) if isinstance(value, tuple) else value
