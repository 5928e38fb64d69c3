"""The committed lists: every parameter of one version of an engine, and whether it counts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_EXCLUDED = 0.25
"""Share of an engine's parameters that a list may leave out."""


class Group(BaseModel):
    """Parameters that one function or class of the engine takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str
    """Where the names were read."""
    affects: tuple[str, ...]
    """Parameters that affect inference."""
    excluded: dict[str, str]
    """Parameters that do not count, each with the reason."""


class Listing(BaseModel):
    """All parameters of one version of an engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: str
    version: str
    target: float = Field(gt=0, le=1)
    """Share of the parameters that affect inference that the section should have."""
    groups: tuple[Group, ...]

    @property
    def affecting(self) -> frozenset[str]:
        """``group.name`` of what affects inference."""
        return frozenset(f"{group.name}.{name}" for group in self.groups for name in group.affects)

    @property
    def excluded(self) -> frozenset[str]:
        """``group.name`` of what does not count."""
        return frozenset(f"{group.name}.{name}" for group in self.groups for name in group.excluded)


@cache
def listings() -> dict[str, Listing]:
    """The list of each engine, by the engine's name."""
    return {listing.engine: listing for listing in _read()}


def _read() -> Iterator[Listing]:
    for file in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".json"):
            yield Listing.model_validate_json(file.read_text(encoding="utf-8"))
