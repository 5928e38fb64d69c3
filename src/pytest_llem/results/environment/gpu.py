"""GPUs, from what their driver said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_llem.results.environment.snapshot import Gpu
from pytest_llem.results.environment.tolerant import tolerant


def gpus(driver_facts: Mapping[str, Any] | None) -> tuple[Gpu, ...] | None:
    """The driver's GPUs; a field of another type than it should have is unknown."""
    found = (driver_facts or {}).get("gpus")
    if not isinstance(found, Iterable):
        return None
    return tuple(tolerant(Gpu, facts) for facts in found if isinstance(facts, Mapping))
