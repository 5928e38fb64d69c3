"""The identity of an experiment: the same wherever, whenever and however often it runs."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_IDENTITY = frozenset({"measurement", "device"})
DIFFERING: Mapping[str, frozenset[str]] = {"workload": frozenset({"path"}), "traffic": frozenset()}
"""Sections of which only what differs from a default belongs to the identity, with the fields that
never do: a file is what it says, wherever it lies."""
HASH_LENGTH = 16


def identity_of(config: ExperimentConfig) -> dict[str, Any]:
    """The fields that say what is measured, as JSON values.

    Sections of engines other than the experiment's own are left out, since they
    have no effect on it. Of the workload, of traffic, and of an engine that another distribution
    adds, there is what differs from the defaults.
    """
    others = {name for name in ENGINE_SECTIONS if name != config.backend}
    found = config.model_dump(mode="json", exclude=set(NOT_IDENTITY | others))
    if own := found.pop("engine_options").get(config.backend):
        found["engine_options"] = own
    for section in DIFFERING:
        if differing := identity_of_section(section, found.pop(section)):
            found[section] = differing
    return found


def identity_of_section(section: str, plain: Mapping[str, Any]) -> dict[str, Any]:
    """What of a section in :data:`DIFFERING`, as JSON values, tells experiments apart.

    Defaults are left out, so that experiments of before have the identity that they had.
    """
    default, never = _default_of(section), DIFFERING[section]
    return {
        name: value for name, value in plain.items() if name not in never and value != default[name]
    }


@cache
def _default_of(section: str) -> dict[str, Any]:
    plain: dict[str, Any] = getattr(ExperimentConfig(), section).model_dump(mode="json")
    return plain


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
