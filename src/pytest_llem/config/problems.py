"""What is wrong with a configuration, one sentence a field."""

from __future__ import annotations

import difflib
import reprlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from pytest_llem.config.sections import SectionOf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MOST_LISTED = 40
"""Names beyond this number are not listed in a message."""


class _Shown(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes no integer of more than 4,300 digits
            return f"an integer of {x.bit_length():,} bits"


_SHOWN = _Shown()
_SHOWN.maxstring = _SHOWN.maxother = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that cannot be what was asked.

    ``str(problem)`` is one line that names the field, the value, what is
    allowed and, where there is one, the nearest known name.
    """

    path: str
    """Where it is: ``batch_size``, ``vllm.max_num_seqs``, ``prompts[1]``."""
    value: Any
    """The value as it was given; :data:`ABSENT` for none."""
    reason: str

    def __str__(self) -> str:
        shown = "" if self.value is ABSENT else f"={shown_value(self.value)}"
        path = self.path if self.path.isprintable() else ascii(self.path)[1:-1]
        return f"{path}{shown}: {self.reason}"


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


def shown_value(value: Any) -> str:
    """A short text for *value* that fits in a message, whatever it is."""
    return _SHOWN.repr(value)


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """What *error*, raised by *model*, complains about: one problem a field."""
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        problem = _problem_of(detail, model)
        found.setdefault(problem.path, problem)
    return [found[path] for path in found if not any(_inside(other, path) for other in found)]


def _inside(path: str, outer: str) -> bool:
    return path.startswith((f"{outer}.", f"{outer}["))


def unknown_field(path: str, value: Any, known: Iterable[str], what: str = "field") -> Problem:
    """The problem of a name that is not among *known*; *path* may be dotted."""
    prefix, dot, name = path.rpartition(".")
    return Problem(path, value, _unknown(name, known, what, prefix + dot))


def unknown_part(path: str, part: str, value: Any, known: Iterable[str]) -> Problem:
    """The problem of a dotted *path* whose first *part* is not among *known*."""
    return Problem(path, value, _unknown(part, known, "field", of=path))


def unknown_value(path: str, value: Any, known: Iterable[str], what: str) -> Problem:
    """The problem of a value that names none of the *known* things, such as engines."""
    return Problem(path, value, _unknown(value, known, what))


def _unknown(
    name: object, known: Iterable[str], what: str, prefix: str = "", of: str | None = None
) -> str:
    names = sorted(known)
    near = nearest(name, names)
    hint = f"Did you mean {prefix + near!r}? " if near else ""
    which = f"{what} {name!r}" if of not in {None, name} else what
    return f"there is no such {which}. {hint}{_listed(name, names)}"


def _listed(name: object, names: Sequence[str]) -> str:
    if len(names) <= MOST_LISTED:
        return f"Known: {', '.join(names)}."
    near = difflib.get_close_matches(str(name), names, n=5, cutoff=0.4)
    shown = f", such as {', '.join(near)}" if near else ""
    return f"{len(names)} are known{shown}; docs/options.md lists them."


def nearest(name: object, known: Sequence[str]) -> str | None:
    """The known name that *name* most likely stands for, or ``None`` if none comes near."""
    near = difflib.get_close_matches(str(name), known, n=1)
    return near[0] if near else None


def _problem_of(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    path, owner, name = _locate(detail["loc"], model)
    value: Any = detail["input"]
    if detail["type"] == "extra_forbidden":
        return unknown_field(path, value, owner.model_fields, what="field")
    if detail["type"] == "missing":
        return Problem(path, ABSENT, "is required.")
    if detail["type"] == "value_error":  # raised by a validator of the field, in its own words
        return Problem(path, value, str(detail["ctx"]["error"]))
    if name is None:
        return Problem(path, value, _lowered(detail["msg"]))
    item = path.endswith("]")
    wanted = requirement(owner, name, value, item=item)
    return Problem(path, value, wanted or _lowered(detail["msg"]))


def _locate(
    loc: tuple[int | str, ...], model: type[BaseModel]
) -> tuple[str, type[BaseModel], str | None]:
    """Path of an error, the model that owns the field, and the field's name there."""
    owner, name, path = model, None, ""
    inner: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
            continue
        if inner is None:
            continue  # a branch of a union or a key inside a value: the field is named already
        path = f"{path}.{part}" if path else part
        owner, name = inner, part
        inner = _model_of(inner, part)
    return path, owner, name


def _model_of(model: type[BaseModel], field: str) -> type[BaseModel] | None:
    if field not in model.model_fields:
        return None
    info = model.model_fields[field]
    for kind in (info.annotation, *get_args(info.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return next((of.model for of in info.metadata if isinstance(of, SectionOf)), None)


def requirement(
    model: type[BaseModel], field: str, value: Any = ABSENT, *, item: bool = False
) -> str:
    """What *field* of *model*, or an item of it, must be; empty if it cannot be told."""
    schema = _schema_of(model)
    wanted = schema["properties"].get(field)
    if item and wanted is not None:
        wanted = next((b["items"] for b in wanted.get("anyOf", [wanted]) if "items" in b), None)
    if wanted is None:
        return ""
    text = describe(wanted, schema.get("$defs", {}))
    near = nearest(value, _choices(wanted)) if isinstance(value, str) else None
    return f"must be {text}." + (f" Did you mean {near!r}?" if near else "")


@cache
def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")


def describe(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What a JSON Schema allows, in words."""
    if "$ref" in schema:
        return describe(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return " or ".join(describe(branch, definitions) for branch in schema["anyOf"])
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(repr, schema["enum"]))
    describer = _DESCRIBERS.get(schema.get("type", ""))
    return describer(schema, definitions) if describer else "another value"


def _choices(schema: Mapping[str, Any]) -> list[str]:
    branches = schema.get("anyOf", [schema])
    values = [value for branch in branches for value in branch.get("enum", ())]
    return [value for value in values if isinstance(value, str)]


def _number(schema: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    text = "a whole number" if schema["type"] == "integer" else "a number"
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"{text} from {low} to {high}"
    limits = [
        f"{words} {limit}"
        for words, limit in (
            ("at least", low),
            ("greater than", above),
            ("at most", high),
            ("less than", below),
        )
        if limit is not None
    ]
    return f"{text} {' and '.join(limits)}" if limits else text


def _text(schema: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    if "pattern" in schema:
        return f"a text that matches {schema['pattern']}"
    return "a text that is not empty" if schema.get("minLength") else "a text"


def _sequence(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    items = schema.get("items")
    text = "a list" + (" that is not empty" if schema.get("minItems") else "")
    return f"{text}, each item {describe(items, definitions)}" if items else text


def _mapping(schema: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    names = schema.get("properties")
    if not names or len(names) > MOST_LISTED:
        return "a mapping"
    return f"a mapping with keys among {', '.join(sorted(names))}"


_DESCRIBERS = {
    "integer": _number,
    "number": _number,
    "string": _text,
    "array": _sequence,
    "object": _mapping,
    "boolean": lambda *_: "True or False",
    "null": lambda *_: "None",
}


def _lowered(message: str) -> str:
    return f"{message[:1].lower()}{message[1:]}."
