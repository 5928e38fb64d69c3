"""The identity of an experiment: the same wherever, whenever and however often it runs."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ENGINE_SECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig

NOT_IDENTITY = frozenset({"measurement", "device"})
ADDED = frozenset({"traffic"})
"""Sections that came later: as they are by default they are left out, so that the identities of
experiments that know nothing of them stay."""
HASH_LENGTH = 16


def identity_of(config: ExperimentConfig) -> dict[str, Any]:
    """The fields that say what is measured, as JSON values.

    Sections of engines other than the experiment's own are left out, since they
    have no effect on it.
    """
    others = {name for name in ENGINE_SECTIONS if name != config.backend}
    unset = {
        name for name in ADDED if getattr(config, name) == type(config).model_fields[name].default
    }
    return config.model_dump(mode="json", exclude=set(NOT_IDENTITY | others | unset))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def config_hash(config: ExperimentConfig) -> str:
    """SHA-256 over the canonical identity, shortened to 16 hexadecimal digits."""
    return digest(identity_of(config))


def digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:HASH_LENGTH]


def identity_hash(config: ExperimentConfig, own_arguments: Mapping[str, str] | None = None) -> str:
    """Hash of the experiment together with the test's own arguments, by their ids.

    A test's own arguments (those that are no field of the configuration) may
    change what a measured callable does, so they tell experiments apart.
    """
    if not own_arguments:
        return config_hash(config)
    return digest({"config": identity_of(config), "own": dict(own_arguments)})
