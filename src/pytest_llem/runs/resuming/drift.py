"""What is not any more as it was when a run began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.results.manifest import Drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_llem.results.environment import Environment
    from pytest_llem.results.manifest import Manifest, PlannedExperiment

ENVIRONMENT = (
    "os",
    "kernel",
    "python",
    "cpu_model",
    "logical_cores",
    "physical_cores",
    "usable_cores",
    "memory_bytes",
    "threads",
    "governor",
    "container",
    "virtualized",
    "driver_version",
    "cuda_driver_version",
    "gpus",
    "packages",
    "git.commit",
    "git.dirty",
    "environment_variables",
)
"""Of the environment, what stays as it is unless somebody changes it."""
DEFAULT = "not set"
_ABSENT = object()
_LONGEST = 60
SHOWN = 20


def drift_of_environment(then: Environment, now: Environment) -> list[Drift]:
    """Where two snapshots differ in what should not have changed, field by field."""
    before, after = then.model_dump(mode="json"), now.model_dump(mode="json")
    return [
        drift
        for field in ENVIRONMENT
        for drift in _differences(f"environment.{field}", _at(before, field), _at(after, field))
    ]


def drift_of_mapping(
    name: str, then: Mapping[str, Any] | None, now: Mapping[str, Any]
) -> list[Drift]:
    """Where *now* differs from what was recorded; nothing if nothing was."""
    if then is None:
        return []
    return list(_differences(name, dict(then), dict(now)))


def drift_of_plan(manifest: Manifest, now: Sequence[PlannedExperiment]) -> list[Drift]:
    """Experiments that are not those that were planned: others, or measured in another way.

    That some of the plan are not there is no drift: they were not selected.
    """
    known = {(one.experiment_id, one.node_id): one for one in manifest.planned}
    by_node = {one.node_id: one for one in manifest.planned if one.node_id is not None}
    bare = {one.experiment_id for one in manifest.planned if one.fingerprint is None}
    found: list[Drift] = []
    for one in now:
        if one.experiment_id in bare:  # a run of before knows no more of it
            continue
        planned = known.get((one.experiment_id, one.node_id)) or by_node.get(one.node_id or "")
        if planned is None:
            found.append(Drift(field=_name(one), before=None, now="not of this run"))
        elif planned.fingerprint != one.fingerprint:
            found += _of_config(_name(one), planned, one)
    return found


def of_another_project(manifest: Manifest, now: Sequence[PlannedExperiment]) -> bool:
    """Whether nothing that was planned is there, not even under another configuration."""
    known = {one.experiment_id for one in manifest.planned}
    nodes = {one.node_id for one in manifest.planned} - {None}
    return bool(now) and not any(one.experiment_id in known or one.node_id in nodes for one in now)


def described(drift: Sequence[Drift]) -> list[str]:
    """A line for each, the first :data:`SHOWN` of them."""
    lines = [f"{one.field}: {_shown(one.before)} → {_shown(one.now)}" for one in drift[:SHOWN]]
    more = len(drift) - SHOWN
    return [*lines, f"and {more} more"] if more > 0 else lines


def _of_config(name: str, then: PlannedExperiment, now: PlannedExperiment) -> list[Drift]:
    default = ExperimentConfig().model_dump(mode="json")
    before = None if then.config is None else _over(default, then.config)
    found = drift_of_mapping(f"{name}:", before, _over(default, now.config or {}))
    changed = Drift(field=name, before=then.fingerprint, now=now.fingerprint)
    return [
        Drift(field=one.field.replace(":.", ": "), before=one.before, now=one.now) for one in found
    ] or [changed]


def _over(default: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """*default* with what is *given*, sections option by option."""
    nested = {
        name: _over(default[name], value)
        for name, value in given.items()
        if isinstance(value, dict) and isinstance(default.get(name), dict)
    }
    return {**default, **given, **nested}


def _differences(name: str, then: Any, now: Any) -> Iterator[Drift]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            yield from _differences(f"{name}.{key}", then.get(key, _ABSENT), now.get(key, _ABSENT))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from _differences(f"{name}[{index}]", one, other)
    elif then != now:
        yield Drift(field=name, before=_stored(then), now=_stored(now))


def _stored(value: Any) -> Any:
    return DEFAULT if value is _ABSENT else value


def _at(content: dict[str, Any], field: str) -> Any:
    name, _, part = field.partition(".")
    value = content.get(name)
    return (value or {}).get(part) if part else value


def _name(one: PlannedExperiment) -> str:
    return one.node_id or one.experiment_id


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
