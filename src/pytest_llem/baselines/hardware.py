"""Hardware classes: baselines of different hardware lie in different files."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.results.schema import ExperimentResult

LONGEST = 120


def hardware_class(result: ExperimentResult, environment: Mapping[str, Any]) -> str:
    """File name of the hardware that *result* was measured on, without an ending.

    ``nvidia-h100-80gb-hbm3-x1`` for devices, ``cpu-estimate-<CPU model>`` for an
    estimate, which knows no device but the CPU it assumes.

    Raises:
        BaselineError: nothing was measured.
    """
    how = result.measurement_methodology
    if how is None:
        raise BaselineError(f"{result.experiment_id} has no hardware: nothing was measured.")
    estimated = how.method == "estimated"
    names = None if estimated else [device.name for device in how.devices]
    return class_of(names, environment.get("cpu_model"))


def class_of(devices: Sequence[str] | None, cpu_model: str | None) -> str:
    """The class of devices of these names, or, for ``None``, of an estimate on that CPU."""
    if devices is None:
        return slug(f"cpu-estimate-{cpu_model or 'unknown'}")
    counts = Counter(devices)
    return slug("-".join(f"{name}-x{count}" for name, count in sorted(counts.items())))


def slug(text: str) -> str:
    """*text* in lower case, with a hyphen for everything that file names take badly."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST].rstrip("-") or "unknown"
