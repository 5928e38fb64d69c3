"""Values of single fields, each validated once however many points share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.identity import canonical_json
from pytest_llem.config.problems import Problem, problems_of, unknown_field
from pytest_llem.config.sections import MODELS, Untouched, model_of
from pytest_llem.plan.tokens import token_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

SECTIONS = (*ENGINE_SECTIONS, "measurement", "traffic", "workload")
FIELDS = frozenset(ExperimentConfig.model_fields)


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

    @property
    def token(self) -> str:
        """What stands for the value in an id: stable, printable ASCII."""
        return token_of(self.plain)


def leaves_of(name: str, raw: Any) -> list[Leaf | Problem]:
    """What giving *raw* for the field *name* sets: one leaf, or one for each option of a section.

    *name* may be dotted. What cannot be set comes back as a :class:`Problem`.
    """
    if name not in SECTIONS:
        return [leaf(name, raw)]
    if isinstance(raw, BaseModel | Untouched):
        raw = raw.model_dump(exclude_unset=True)
    if not isinstance(raw, Mapping):
        return [leaf(name, raw)]
    return [leaf(f"{name}.{option}", value) for option, value in raw.items()]


def leaf(path: str, raw: Any) -> Leaf | Problem:
    """The field *path* with the value *raw*, or why it cannot have it."""
    try:
        return _remembered(path, cast("Hashable", type(raw)), raw)
    except TypeError:  # unhashable
        return _validated(path, raw)


def unknown_path(path: str, value: Any) -> Problem | None:
    """Why *path* names no field, or ``None`` if it does."""
    name, dot, option = path.partition(".")
    if name not in FIELDS or (dot and name not in SECTIONS):
        return unknown_field(path if name in FIELDS else name, value, FIELDS)
    if dot and option not in options_of(name):
        return unknown_field(path, value, options_of(name), what=f"option of {name}")
    return None


def options_of(section: str) -> Iterable[str]:
    """Names of the fields of a section."""
    if section in MODELS:
        return model_of(section).model_fields
    default: BaseModel = ExperimentConfig.model_fields[section].default
    return type(default).model_fields


@cache
def _remembered(path: str, _: Hashable, raw: Any) -> Leaf | Problem:
    return _validated(path, raw)


def _validated(path: str, raw: Any) -> Leaf | Problem:
    unknown = unknown_path(path, raw)
    if unknown is not None:
        return unknown
    name, _, option = path.partition(".")
    try:
        config = ExperimentConfig.model_validate({name: {option: raw} if option else raw})
        holder, field = (getattr(config, name), option) if option else (config, name)
        plain = holder.model_dump(mode="json", include={field})[field]
    except ValidationError as error:
        return problems_of(error, ExperimentConfig)[0]
    except PydanticSerializationError:
        return Problem(path, raw, "must be made of texts, numbers, booleans, lists and mappings.")
    return Leaf(path, getattr(holder, field), plain)
