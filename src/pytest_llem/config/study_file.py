"""Study files: experiments written down in YAML, as axes to cross and points beside them.

A study says what is the same for all (``base``), what is crossed (``sweep``), what of that is
left out (``exclude``), which points there are besides (``experiments``), and how it is run
(``repeats``, ``order``, ``gates``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_llem.config.documents.document import Document
from pytest_llem.config.documents.yaml import read_yaml
from pytest_llem.config.leaves import is_group, leaves_of, unknown_path
from pytest_llem.config.problems import ABSENT, Problem, shown_value, unknown_field
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llem.config.documents.document import Keys, Place

SUFFIXES = (".llem.yaml", ".llem.yml")
"""How the names of study files end."""
KEYS = ("base", "exclude", "experiments", "gates", "name", "order", "repeats", "sweep")
LISTED = "listed"
"""The order in which points were written."""
MOST_REPEATS = 1000
SEEDS = 2**64
"""Seeds of an order are below it."""
MOST_PROBLEMS = 20
NAME = "name"
NOWHERE = Document("", {})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Located = tuple["Keys", Problem]


@dataclass(frozen=True, slots=True)
class StudyFile:
    """What a study file says; values of fields are as they were written, and possible."""

    name: str
    base: Mapping[str, Any] = field(default_factory=dict)
    """Fields of all experiments."""
    sweep: Mapping[str, Any] = field(default_factory=dict)
    """Axes by field; under another name, lists of mappings that set several fields together."""
    exclude: tuple[Mapping[str, Any], ...] = ()
    experiments: tuple[Mapping[str, Any], ...] = ()
    repeats: int | None = None
    """Fresh processes per experiment, interleaved; ``None`` leaves it to the command line."""
    shuffle_seed: int | None = None
    """Shuffles the experiments within each round; ``None`` takes them as written."""
    gates: Mapping[str, str] = field(default_factory=dict)
    """Tolerances by metric."""
    document: Document = field(default=NOWHERE, repr=False)

    def place(self, path: str) -> Place:
        """Where *base* says something of a field, by its path."""
        name, dot, option = path.partition(".")
        dotted = path in self.base
        return self.document.place("base", *([path] if dotted or not dot else [name, option]))


def is_study(path: Path) -> bool:
    """Whether a file is a study by its name."""
    return path.name.endswith(SUFFIXES)


def name_of_study(path: Path) -> str:
    """What a study is called that does not say: its file's name as far as it is its own."""
    stem = next(
        (path.name.removesuffix(end) for end in SUFFIXES if path.name.endswith(end)), path.stem
    )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "study"


def read_study(path: Path) -> StudyFile:
    """The study in the file at *path*.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: it is no study: one line a problem, with file, line, column and field.
    """
    document = read_yaml(path)
    problems = list(_problems(document))
    if problems:
        found = [(document.place(*keys), problem) for keys, problem in problems]
        found.sort(key=lambda one: (one[0].line or 0, one[0].column or 0))
        lines = [f"{place}: {problem}" for place, problem in found[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"and {len(problems) - MOST_PROBLEMS} more")
        raise ConfigError("\n".join(lines))
    return _study(document, name_of_study(path))


def _study(document: Document, name: str) -> StudyFile:
    value = document.value
    order = value.get("order", LISTED)
    return StudyFile(
        name=value.get(NAME, name),
        base=value.get("base") or {},
        sweep=value.get("sweep") or {},
        exclude=tuple(value.get("exclude") or ()),
        experiments=tuple(value.get("experiments") or ()),
        repeats=value.get("repeats"),
        shuffle_seed=None if order == LISTED else order["shuffle"],
        gates=value.get("gates") or {},
        document=document,
    )


def _problems(document: Document) -> Iterator[Located]:
    value = document.value
    for key, raw in value.items():
        if key not in KEYS:
            yield (key,), unknown_field(key, raw, KEYS, what="part of a study")
    if not any(value.get(key) for key in ("base", "sweep", "experiments")):
        said = "say what is measured: base, sweep or experiments."
        yield (), Problem("study", ABSENT, f"has no experiment; {said}")
    yield from _settings(value)
    yield from _mapping(value, "base", _fields)
    yield from _mapping(value, "sweep", _axes)
    yield from _mappings(value, "exclude", _any_of)
    yield from _mappings(value, "experiments", _named_fields)


def _settings(value: Mapping[str, Any]) -> Iterator[Located]:
    name, repeats, order = value.get(NAME), value.get("repeats"), value.get("order", LISTED)
    if NAME in value and not (isinstance(name, str) and _NAME.fullmatch(name)):
        said = "must be letters, digits, dots, dashes and underscores, a letter or digit first."
        yield (NAME,), Problem(NAME, name, said)
    whole = isinstance(repeats, int) and not isinstance(repeats, bool)
    if repeats is not None and not (whole and 1 <= repeats <= MOST_REPEATS):
        said = f"must be a number of processes from 1 to {MOST_REPEATS}."
        yield ("repeats",), Problem("repeats", repeats, said)
    if order != LISTED and not _is_shuffle(order):
        said = f"must be {LISTED}, or a mapping with a seed below 2**64, such as: {{shuffle: 7}}."
        yield ("order",), Problem("order", order, said)
    yield from _mapping(value, "gates", _gates)


def _is_shuffle(order: Any) -> bool:
    if not isinstance(order, Mapping) or order.keys() != {"shuffle"}:
        return False
    seed = order["shuffle"]
    return isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < SEEDS


def _gates(given: Mapping[str, Any], keys: Keys) -> Iterator[Located]:
    for metric, tolerance in given.items():
        if not isinstance(tolerance, str):
            said = 'must be a text such as "5%" or "+20ms".'
            yield (*keys, metric), Problem(f"gates.{metric}", tolerance, said)


def _mapping(value: Mapping[str, Any], key: str, look: Any) -> Iterator[Located]:
    given = value.get(key)
    if given is None:
        return
    if not isinstance(given, Mapping):
        yield (key,), Problem(key, given, "must be a mapping.")
        return
    yield from look(given, (key,))


def _mappings(value: Mapping[str, Any], key: str, look: Any) -> Iterator[Located]:
    given = value.get(key)
    if given is None:
        return
    if not isinstance(given, list):
        yield (key,), Problem(key, given, "must be a list of mappings.")
        return
    for index, one in enumerate(given):
        if not (isinstance(one, Mapping) and one):
            yield (key, index), Problem(f"{key}[{index}]", one, "must be a mapping of fields.")
        else:
            yield from look(one, (key, index))


def _fields(given: Mapping[str, Any], keys: Keys) -> Iterator[Located]:
    """What is wrong with fields and their values."""
    for name, raw in given.items():
        for found in leaves_of(name, raw):
            if isinstance(found, Problem):
                inner = found.path.removeprefix(name).lstrip(".").partition("[")[0]
                yield (*keys, name, *filter(None, inner.split("."))), found


def _named_fields(given: Mapping[str, Any], keys: Keys) -> Iterator[Located]:
    if NAME in given and not isinstance(given[NAME], str):
        yield (*keys, NAME), Problem(NAME, given[NAME], "must be a text.")
    fields = {name: raw for name, raw in given.items() if name != NAME}
    if not fields:
        yield keys, Problem(_path(keys), given, "sets no field.")
    yield from _fields(fields, keys)


def _any_of(given: Mapping[str, Any], keys: Keys) -> Iterator[Located]:
    """Fields with a value each, or a list of values of which any is meant."""
    for name, raw in given.items():
        for one in raw if isinstance(raw, list) and raw else [raw]:
            yield from _fields({name: one}, keys)


def _axes(given: Mapping[str, Any], keys: Keys) -> Iterator[Located]:
    for name, raw in given.items():
        here = (*keys, name)
        if is_group(name, raw):
            for index, one in enumerate(raw):
                yield from _named_fields(one, (*here, index))
        elif (unknown := unknown_path(name, raw)) is not None:
            yield here, unknown
        elif isinstance(raw, Mapping):
            yield from _axes_of_section(name, raw, here)
        else:
            yield from _values(name, raw, here)


def _axes_of_section(section: str, given: Mapping[str, Any], keys: Keys) -> Iterator[Located]:
    for option, raw in given.items():
        path, here = f"{section}.{option}", (*keys, option)
        unknown = unknown_path(path, raw)
        if unknown is not None:
            yield here, unknown
        else:
            yield from _values(path, raw, here)


def _values(path: str, raw: Any, keys: Keys) -> Iterator[Located]:
    if not isinstance(raw, list):
        said = f"must be a list of values; what is the same for all belongs to base, not {shown_value(raw)}."
        yield keys, Problem(path, ABSENT, said)
        return
    if not raw:
        yield keys, Problem(path, raw, "is an axis without values. Give at least one.")
    for index, one in enumerate(raw):
        for found in leaves_of(path, one):
            if isinstance(found, Problem):
                yield (*keys, index), found


def _path(keys: Keys) -> str:
    first, *rest = keys
    return str(first) + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in rest)
