"""One component as it is offered: a name, and where it comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

OWN = "pytest-llem"
"""The distribution of built-in components."""
State = Literal["loaded", "available", "incomplete", "denied", "collides", "broken"]
"""What is known of a component.

``available`` looks complete, but was not imported; ``incomplete`` lacks a distribution or a
module; ``denied`` is excluded by a rule; ``collides`` shares its name with another one;
``broken`` was imported and failed.
"""


@dataclass(frozen=True, slots=True)
class Component:
    """A component that somebody offers, imported or not."""

    kind: str
    """``engines``, ``meters``, ``workloads`` or ``exporters``."""
    name: str
    reference: str
    """``module:attribute``."""
    distribution: str | None = OWN
    """Name of the distribution; ``None`` where its metadata do not say."""
    version: str | None = None
    """Version of the distribution; ``None`` where its metadata do not say."""
    builtin: bool = True
    needs: tuple[str, ...] = ()
    """Requirements of a built-in that come with an extra, as modules."""

    @property
    def key(self) -> str:
        """What rules name it by, such as ``engines.onnx``."""
        return f"{self.kind}.{self.name}"

    @property
    def owner(self) -> str:
        """Distribution and version, for messages."""
        known = self.distribution or f"an unnamed distribution ({self.reference})"
        return f"{known} {self.version}" if self.version else known

    def __str__(self) -> str:
        return f"the {self.kind[:-1]} {self.name!r} of {self.owner} ({self.reference})"


@dataclass(frozen=True, slots=True)
class Listed:
    """A component with what is known of it without importing it."""

    component: Component
    state: State
    detail: str = ""
    """What is missing, by which rule, with whom, or why; empty if nothing is to be said."""


def normalized(distribution: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
