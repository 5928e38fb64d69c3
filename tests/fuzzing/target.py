"""One kind of input, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

OWN = (LlemError, pytest.UsageError, pytest.Collector.CollectError)
"""Errors that are shown to users without a traceback."""


@dataclass(frozen=True, slots=True)
class Target:
    """A door of the project that input comes in by."""

    name: str
    enter: Callable[[Any], None]
    """Takes one input; anything but an error of :data:`OWN` is a finding."""
    values: SearchStrategy[Any] | None = None
    """What inputs are made of; ``None`` takes bytes as they come."""
    seeds: tuple[bytes, ...] = ()
    """Inputs to begin with, where they are bytes."""

    def tried(self, value: Any) -> None:
        """Enter with *value*.

        Raises:
            Exception: a finding.
        """
        try:
            self.enter(value)
        except OWN as error:
            if not str(error).strip():
                raise AssertionError("it tells nothing") from error
