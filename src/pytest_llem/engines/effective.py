"""What was asked of an engine, against what it says really took effect."""

from __future__ import annotations

import json
import math
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig

KEY = "effective"
"""Member of a session's description that holds what took effect, by the names of fields: those of
the experiment, and those of the engine's section without its name."""
_AUTO = {"auto", None}
_SAME = {
    "half": "float16",
    "fp16": "float16",
    "float": "float32",
    "fp32": "float32",
    "bf16": "bfloat16",
    "fp8_e4m3": "fp8",
}
"""Names of one and the same data type."""


def asked(config: ExperimentConfig) -> dict[str, Any]:
    """What *config* says that an engine could do otherwise, by field, as JSON values.

    Only what was set: a default, like ``auto``, takes whatever there is.
    """
    fields = {
        "dtype": config.dtype,
        "quantization": config.quantization,
        "tensor_parallel_size": config.tensor_parallel_size,
        "pipeline_parallel_size": config.pipeline_parallel_size,
    }
    wanted = {name: value for name, value in fields.items() if value not in _AUTO}
    section = getattr(config, config.backend, None)
    given = config.engine_options.get(config.backend, {}) if section is None else section.given()
    return wanted | {
        name: _plain(value) for name, value in given.items() if name != "extra" and value != "auto"
    }


def differences(config: ExperimentConfig, description: Mapping[str, Any]) -> list[str]:
    """A sentence for each field of *config* that took another effect than was asked for.

    Fields of which *description* says nothing under ``effective`` are left out.
    """
    effective = description.get(KEY) or {}
    return list(_differences(asked(config), effective))


def _differences(wanted: Mapping[str, Any], effective: Mapping[str, Any]) -> Iterator[str]:
    for name, value in sorted(wanted.items()):
        if name in effective and not agrees(value, effective[name]):
            yield f"{name}={value!r} was asked for, but {effective[name]!r} took effect"


def agrees(wanted: Any, effective: Any) -> bool:
    """Whether *effective* is what was *wanted*; a mapping may say more than was wanted."""
    if isinstance(wanted, dict) and isinstance(effective, dict):
        return all(
            str(key) in (found := {str(k): v for k, v in effective.items()})
            and agrees(value, found[str(key)])
            for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(effective, list):
        return len(wanted) == len(effective) and all(map(agrees, wanted, effective))
    if isinstance(wanted, int | float) and isinstance(effective, int | float):
        return math.isclose(wanted, effective, rel_tol=1e-9)
    if isinstance(wanted, str) and isinstance(effective, str):
        return _name(wanted) == _name(effective)
    return bool(wanted == effective)


def read_back(
    names: Iterable[str], holders: Sequence[Any], renamed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What an engine's own configuration says of the options *names*, for its ``effective``.

    Args:
        names: options of the section, such as those that were given.
        holders: objects of the engine, of which the first that has an option's attribute tells.
        renamed: attributes that are not called like the option.

    Returns:
        JSON values; options that no holder has an attribute for are left out.
    """
    found = {}
    for name in names:
        attribute = (renamed or {}).get(name, name)
        holder = next((one for one in holders if hasattr(one, attribute)), None)
        if holder is not None:
            found[name] = _plain(getattr(holder, attribute))
    return found


def _name(text: str) -> str:
    plain = text.lower().removeprefix("torch.")
    return _SAME.get(plain, plain)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=_member))


def _member(value: Any) -> Any:
    """A set as a list, a member of an enumeration by its value, anything else by its text."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value.value if isinstance(value, Enum) else str(value)
