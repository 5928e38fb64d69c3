"""Values of single fields, each validated once however many points share it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.identity import canonical_json
from pytest_llem.config.names import FIELD_NAMES
from pytest_llem.config.problems import Problem, problems_of, unknown_field, unknown_part
from pytest_llem.config.sections import MODELS, Untouched, model_of
from pytest_llem.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from pytest_llem.config.added import AddedSection

SECTIONS = (*ENGINE_SECTIONS, "measurement", "traffic", "workload")
FIELDS = FIELD_NAMES
NO_JSON = "must be made of texts, numbers, booleans, lists and mappings."
NO_NUMBER = (
    "has a number that JSON has no text for: infinite, none at all, or of thousands of digits."
)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One field with a value that it may have."""

    path: str
    """``batch_size``, or ``vllm.max_num_seqs`` for an option of a section."""
    value: Any
    """The value as the configuration holds it."""
    plain: Any
    """The value in JSON's types."""
    section: str = field(init=False)
    """The section that the field belongs to; empty at the top."""
    name: str = field(init=False)
    """The field's name within its section."""
    text: str = field(init=False)
    """Name and value as a member of canonical JSON."""

    def __post_init__(self) -> None:
        section, _, name = self.path.rpartition(".")
        object.__setattr__(self, "section", section)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "text", f'"{name}":{canonical_json(self.plain)}')


def leaves_of(name: str, raw: Any) -> list[Leaf | Problem]:
    """What giving *raw* for the field *name* sets: one leaf, or one for each option of a section.

    *name* may be dotted. What cannot be set comes back as a :class:`Problem`.
    """
    if not is_section(name):
        return [leaf(name, raw)]
    if isinstance(raw, BaseModel | Untouched):
        raw = raw.model_dump(exclude_unset=True)
    if not isinstance(raw, Mapping):
        return [leaf(name, raw)]
    return [leaf(f"{name}.{option}", value) for option, value in raw.items()]


def is_section(name: str) -> bool:
    """Whether *name* is a section of options, be it of an engine that another distribution adds."""
    return name in SECTIONS or (name not in FIELDS and name in _added_names())


def is_group(name: str, raw: Any) -> bool:
    """Whether an axis sets several fields together: mappings, under a name that is no field's."""
    if not isinstance(raw, list | tuple) or not raw or unknown_path(name, raw) is None:
        return False
    return "." not in name and all(isinstance(one, Mapping) for one in raw)


def leaf(path: str, raw: Any) -> Leaf | Problem:
    """The field *path* with the value *raw*, or why it cannot have it."""
    try:
        return _remembered(path, cast("Hashable", type(raw)), raw)
    except TypeError:  # unhashable
        return _validated(path, raw)


def unknown_path(path: str, value: Any) -> Problem | None:
    """Why *path* names no field, or ``None`` if it does."""
    name, dot, option = path.partition(".")
    if name not in FIELDS and not is_section(name):
        return unknown_part(path, name, value, FIELDS | _added_names())
    if not dot:
        return None
    if not is_section(name):
        return _whole(name, option, path, value)
    whole, deeper, part = option.partition(".")
    if deeper and whole in options_of(name):
        return _whole(f"{name}.{whole}", part, path, value)
    if option not in options_of(name):
        return unknown_field(path, value, options_of(name), what=f"option of {name}")
    return None


def _whole(name: str, part: str, path: str, value: Any) -> Problem:
    """That *name*, which exists, is given as a whole and not part by part."""
    return Problem(
        path, value, f"{name} is set as a whole, where it is a mapping as {name}={{{part!r}: …}}."
    )


def options_of(section: str) -> Iterable[str]:
    """Names of the fields of a section."""
    if section in MODELS:
        return model_of(section).model_fields
    if section not in SECTIONS:
        return _model_of_added(section).model_fields
    default: BaseModel = ExperimentConfig.model_fields[section].default
    return type(default).model_fields


@cache
def _remembered(path: str, _: Hashable, raw: Any) -> Leaf | Problem:
    return _validated(path, raw)


def _added_names() -> frozenset[str]:
    from pytest_llem.config.added import added_names

    return added_names()


def _model_of_added(name: str) -> type[AddedSection]:
    from pytest_llem.config.added import model_of_added

    return model_of_added(name)


def _validated(path: str, raw: Any) -> Leaf | Problem:
    try:
        unknown = unknown_path(path, raw)
    except ComponentError as error:
        return Problem(path, raw, str(error))
    if unknown is not None:
        return unknown
    name, _, option = path.partition(".")
    if name not in FIELDS:
        return _validated_added(_model_of_added(name), name, option, raw)
    try:
        config = ExperimentConfig.model_validate({name: {option: raw} if option else raw})
        holder, field = (getattr(config, name), option) if option else (config, name)
        plain = holder.model_dump(mode="json", include={field})[field]
    except ValidationError as error:
        return problems_of(error, ExperimentConfig)[0]
    except PydanticSerializationError:
        return Problem(path, raw, NO_JSON)
    return _leaf(path, getattr(holder, field), plain, raw)


def _leaf(path: str, value: Any, plain: Any, raw: Any) -> Leaf | Problem:
    try:
        json.dumps(plain, allow_nan=False)
    except ValueError:
        return Problem(path, raw, NO_NUMBER)
    return Leaf(path, value, plain)


def _validated_added(model: type[AddedSection], name: str, option: str, raw: Any) -> Leaf | Problem:
    path = f"{name}.{option}"
    if not option:
        return Problem(name, raw, "must be a mapping.")
    try:
        section = model.model_validate({option: raw})
        plain = section.model_dump(mode="json", include={option})[option]
    except ValidationError as error:
        problem = problems_of(error, model)[0]
        return replace(problem, path=f"{name}.{problem.path}")
    except PydanticSerializationError:
        return Problem(path, raw, NO_JSON)
    return _leaf(path, getattr(section, option), plain, raw)
