"""Configurations and identities of many points that differ in few fields.

Building and hashing each configuration by itself takes some thirty microseconds,
which a grid of ten thousand points cannot afford. Here every value was
validated once (:mod:`pytest_llem.config.leaves`), and a point's configuration and
the canonical text of its identity are put together from those. The outcome is
equal to full validation and to :func:`pytest_llem.config.identity.identity_hash`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llem.config.engines.section import Section
from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.identity import (
    DIFFERING,
    HASH_LENGTH,
    NOT_IDENTITY,
    canonical_json,
    identity_of_section,
)
from pytest_llem.config.layers.layer import BUILT_IN, Origin
from pytest_llem.config.leaves import FIELDS, SECTIONS
from pytest_llem.config.pinning import pinned
from pytest_llem.config.sections import ALWAYS, MODELS, default_of, sparse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from pytest_llem.config.leaves import Leaf

PARAMETER = Origin("parameter")
WORKLOAD = "workload"
ADDED = "engine_options"
FILE = ("path", "sha256")


class Assembly:
    """Puts points together on top of the values that all points of a function share."""

    def __init__(
        self,
        group: str,
        shared: Mapping[str, Leaf],
        directory: Path | None = None,
        origins: Mapping[str, Origin] | None = None,
    ) -> None:
        """Put points together on top of *shared*.

        Files are found from *directory* (default: the current one). *origins* says who gave
        what is shared.
        """
        self.group = group
        self.repeats: int | None = None
        """Fresh processes that each point asks for."""
        self._origins = origins or {}
        self._directory = directory or Path.cwd()
        self._options: dict[str, dict[str, Leaf]] = defaultdict(dict)
        for leaf in shared.values():
            if leaf.section:
                self._options[leaf.section][leaf.name] = leaf
        self._sections: dict[tuple[object, ...], tuple[Any, str]] = {}
        self._added: dict[str, Any] = {}
        self._texts = {**_default_texts(), **self._texts_of(shared.values())}
        self._config = ExperimentConfig().model_copy(update=self._values_of(shared.values()))
        self._added = self._config.engine_options

    def config(self, leaves: Iterable[Leaf]) -> ExperimentConfig:
        """The configuration with *leaves* on top of what is shared."""
        return self._config.model_copy(update=self._values_of(leaves))

    def origins(self, leaves: Iterable[Leaf]) -> dict[str, Origin]:
        """Who gave each value that is not a default, with *leaves* as parameters.

        Options have replaced parameters already.
        """
        shared = self._origins
        own = (leaf.path for leaf in leaves if shared.get(leaf.path, BUILT_IN).layer != "option")
        return {**shared, **dict.fromkeys(own, PARAMETER)}

    def backend(self, leaves: Mapping[str, object]) -> str:
        """The engine with *leaves*, by path, on top of what is shared."""
        leaf = leaves.get("backend")
        return str(self._config.backend if leaf is None else getattr(leaf, "value", leaf))

    def identity(
        self, leaves: Iterable[Leaf], backend: str, own_arguments: Mapping[str, str]
    ) -> str:
        """Hash of the configuration with *leaves*, and of the test's own arguments."""
        texts = self._texts | self._texts_of(leaves)
        text = (
            "{"
            + ",".join(filter(None, [texts.get(name) for name in _identity_fields(backend)]))
            + "}"
        )
        if own_arguments:
            text = f'{{"config":{text},"own":{canonical_json(dict(own_arguments))}}}'
        return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]

    def _texts_of(self, leaves: Iterable[Leaf]) -> dict[str, str]:
        texts: dict[str, str] = {}
        options: dict[str, dict[str, Leaf]] = {}
        for leaf in leaves:
            if leaf.section:
                options.setdefault(leaf.section, {})[leaf.name] = leaf
            else:
                texts[leaf.name] = leaf.text
        for section, given in options.items():
            texts[section] = self._section(section, given)[1]
        return texts

    def _values_of(self, leaves: Iterable[Leaf]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        options: dict[str, dict[str, Leaf]] = {}
        for leaf in leaves:
            if leaf.section:
                options.setdefault(leaf.section, {})[leaf.name] = leaf
            else:
                values[leaf.name] = leaf.value
        added: dict[str, Any] = {}
        for section, given in options.items():
            holder = values if section in SECTIONS else added
            holder[section] = self._section(section, given)[0]
        if added:
            values[ADDED] = self._added | added
        return values

    def _section(self, section: str, given: dict[str, Leaf]) -> tuple[Any, str]:
        """The section with the options *given* and shared, and its text as a JSON member."""
        key = (section, *given.values())
        if key not in self._sections:
            merged = self._options[section] | given
            if section not in SECTIONS:
                self._sections[key] = _added_section(section, merged)
                return self._sections[key]
            values = {name: leaf.value for name, leaf in merged.items()}
            plain = dict(_default_plain(section))
            plain.update((name, leaf.plain) for name, leaf in merged.items())
            if section == WORKLOAD:
                values = pinned(values, self._directory)
                plain.update((name, values[name]) for name in FILE if name in values)
            built = _default(section).model_copy(update=values)
            if isinstance(built, Section):
                plain = sparse(built, plain)
            self._sections[key] = (built, _text(section, plain))
        return self._sections[key]


def _added_section(name: str, leaves: Mapping[str, Leaf]) -> tuple[dict[str, Any], str]:
    """The section of an engine that another distribution adds, in JSON's types, and its text."""
    from pytest_llem.config.added import model_of_added

    values = {option: leaf.value for option, leaf in leaves.items()}
    plain = {option: leaf.plain for option, leaf in leaves.items()}
    found = model_of_added(name)().model_copy(update=values).sparse(plain)
    return found, f'"{ADDED}":{canonical_json(found)}' if found else ""


@cache
def _default(section: str) -> BaseModel:
    if section in MODELS:
        return default_of(section)
    default: BaseModel = ExperimentConfig.model_fields[section].default
    return default


@cache
def _default_plain(section: str) -> dict[str, Any]:
    return dict(ALWAYS[section]) if section in MODELS else _default(section).model_dump(mode="json")


@cache
def _default_texts() -> dict[str, str]:
    plain = ExperimentConfig().model_dump(mode="json", exclude={ADDED})
    return {name: _text(name, value) for name, value in plain.items()}


def _text(name: str, plain: Any) -> str:
    """A member of the identity's canonical JSON; empty if it does not belong to it."""
    if name in DIFFERING:
        plain = identity_of_section(name, plain)
        if not plain:
            return ""
    return f'"{name}":{canonical_json(plain)}'


@cache
def _identity_fields(backend: str) -> tuple[str, ...]:
    """Fields that say what is measured, in canonical order."""
    others = {name for name in ENGINE_SECTIONS if name != backend}
    names = sorted((FIELDS | {ADDED}) - NOT_IDENTITY - others)
    return tuple(backend if name == ADDED and backend not in FIELDS else name for name in names)
