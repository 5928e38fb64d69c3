"""Sections of engines that other distributions add: entry points ``pytest_llem.sections``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from pydantic import ValidationError

from pytest_llem.components.contract import Contract
from pytest_llem.config.engines.section import Section
from pytest_llem.config.names import FIELD_NAMES
from pytest_llem.errors import ComponentError, ConfigError
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig


class Options(Protocol):
    """What a section of another distribution has at least."""

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, by option."""
        ...


class AddedSection(Section):
    """Options of an engine that another distribution adds.

    A subclass has a field for each option, with its default, and says ``name`` (the engine's) and
    ``api_version``. It is imported where options are checked, so its module imports no engine.
    """

    name: ClassVar[str]
    """The engine's name, as registered."""
    api_version: ClassVar[int]
    """Version of this class that it was written for: 1."""

    @classmethod
    def of(cls, config: ExperimentConfig) -> Self:
        """The section of *config*, as its engine reads it.

        Raises:
            ConfigError: it has an option that there is not, or a value that cannot be.
        """
        from pytest_llem.config.problems import problems_of

        try:
            return cls.model_validate(config.engine_options.get(cls.name, {}))
        except ValidationError as error:
            said = " ".join(f"{cls.name}.{one}" for one in problems_of(error, cls))
            raise ConfigError(said) from None

    def sparse(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """What of *plain*, the values in JSON's types, is stored and identifies the section."""
        given = sorted(self.given())
        return {name: plain[name] for name in ([*given, "extra"] if self.extra else given)}


SECTIONS: Registry[type[AddedSection]] = Registry(
    "sections", {}, Contract("pytest_llem.config.added:Options")
)
"""Those of built-in engines are no components: nobody else can offer a section of their names."""


def added_names() -> frozenset[str]:
    """Names of the engines that have such a section; none is imported.

    What is called like a field of an experiment stays that field.

    Raises:
        ConfigError: the lists of what may be used cannot be read.
    """
    return frozenset(SECTIONS.names()) - FIELD_NAMES


def model_of_added(name: str) -> type[AddedSection]:
    """The model of the section *name*.

    Raises:
        ComponentError: it is broken or several have it, and whose it is.
    """
    found = SECTIONS.load(name)
    if not issubclass(found, AddedSection):
        raise ComponentError(
            f"the section {name!r} ({found.__module__}:{found.__qualname__}) must be a subclass of "
            "pytest_llem.config.added:AddedSection. Tell the authors of the distribution."
        )
    return found
