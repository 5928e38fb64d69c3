"""NvmlMeter in a fresh process that has the double for a driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instruments.nvml_double import nvml_double, run_json
from instruments.programs import HELPERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from instruments.nvml_double import Gpu

PRELUDE = (
    HELPERS
    + """
import time
from pytest_llem.devices.nvml.meter import NvmlMeter, driver_facts

meter = NvmlMeter()
"""
)


def with_gpus(tmp_path: Path, gpus: Sequence[Gpu], code: str, **machine: Any) -> Any:
    """What *code* gives to ``show`` on a machine with *gpus*."""
    return run_json(PRELUDE + code, nvml_double(tmp_path, gpus, **machine))
