"""What a section covers of an engine's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.config.sections import model_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from pytest_llem.config.coverage.listing import Listing


@dataclass(frozen=True, slots=True)
class Coverage:
    """Parameters as ``group.name``; ``extra`` covers none."""

    engine: str
    version: str
    """Of the engine whose parameters these are."""
    listed_version: str
    """Of the engine that the committed list is of."""
    installed: bool
    """Whether an installed engine was asked; otherwise the list is taken at its word."""
    target: float
    affecting: frozenset[str]
    """Parameters that affect inference; new ones count until the list says otherwise."""
    excluded: frozenset[str]
    """Parameters that the list leaves out for a reason."""
    covered: frozenset[str]
    """Parameters that an experiment can set, excluded ones included."""
    new: frozenset[str]
    """Parameters of the installed engine that the list does not know."""
    gone: frozenset[str]
    """Parameters on the list that the installed engine does not have."""

    @property
    def missing(self) -> frozenset[str]:
        """Parameters that affect inference, and no field sets."""
        return self.affecting - self.covered

    @property
    def share(self) -> float:
        """Of the parameters that affect inference, how many can be set."""
        return len(self.affecting & self.covered) / len(self.affecting)

    @property
    def raw_share(self) -> float:
        """Of all parameters, how many can be set."""
        everything = self.affecting | self.excluded
        return len(everything & self.covered) / len(everything)

    @property
    def excluded_share(self) -> float:
        """Of all parameters, how many are left out."""
        return len(self.excluded) / len(self.affecting | self.excluded)


def coverage_of(
    listing: Listing, installed: Collection[str] | None = None, version: str | None = None
) -> Coverage:
    """What the engine's section covers of *installed*, or of the list itself.

    Args:
        listing: the committed list.
        installed: parameters of an installed engine as ``group.name``; ``None`` for none.
        version: of that engine.
    """
    listed = listing.affecting | listing.excluded
    there = listed if installed is None else frozenset(installed)
    return Coverage(
        engine=listing.engine,
        version=version or listing.version,
        listed_version=listing.version,
        installed=installed is not None,
        target=listing.target,
        affecting=there - listing.excluded,
        excluded=there & listing.excluded,
        covered=settable(listing.engine) & there,
        new=there - listed,
        gone=listed - there,
    )


def settable(engine: str) -> frozenset[str]:
    """Parameters of *engine* as ``group.name`` that a field of an experiment sets."""
    model = model_of(engine)
    own = {f"{group}.{name}" for group, names in model.GROUPS.items() for name in names}
    return frozenset(own | model.ELSEWHERE.keys())
