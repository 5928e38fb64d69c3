"""The base of the engines' sections, and the kinds of values that their options have."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from pytest_llem.config.model import Model
from pytest_llem.config.order import refuse_unstable

Count = Annotated[int, Field(ge=1)]
"""One or more."""
Natural = Annotated[int, Field(ge=0)]
"""Zero or more."""
Share = Annotated[float, Field(gt=0, le=1)]
"""A part of a whole, more than nothing."""
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class Section(Model):
    """Options of one engine; ``None`` leaves a choice to the engine."""

    ENGINE: ClassVar[str] = ""
    """Name of the engine."""
    OWN: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no parameters of the engine, at least not under this name."""
    GROUPS: ClassVar[dict[str, frozenset[str]]] = {}
    """All other fields but ``extra``, by the function or class of the engine that takes them."""
    ELSEWHERE: ClassVar[dict[str, str]] = {}
    """Fields of the experiment that set parameters of the engine, by ``group.name`` of those."""

    extra: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the engine, passed on as they are."""

    @field_validator("*", mode="before")
    @classmethod
    def _has_an_order(cls, value: Any) -> Any:
        return refuse_unstable(value)

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, by field, ``extra`` aside."""
        fields = type(self).model_fields
        return {
            name: value
            for name, field in fields.items()
            if name != "extra" and (value := getattr(self, name)) != field.default
        }

    def __repr_args__(self) -> Any:
        """Only what was set: most of some two hundred options are not."""
        return [*self.given().items(), *([("extra", self.extra)] if self.extra else [])]
