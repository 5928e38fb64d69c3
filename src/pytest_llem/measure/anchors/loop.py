"""A fixed loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Loop:
    """A fixed amount of work, whatever it takes."""

    name: str
    """Its identity: ``compute/`` or ``memory/``, what it does, its version, and whatever else
    decides how it runs. Only readings under the same name are ever compared."""
    turn: Callable[[], None]
    """Does the work once and returns when it is done."""
