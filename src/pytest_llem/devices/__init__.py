"""Meters, one a file: they read devices and integrate nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.components.contract import Contract
from pytest_llem.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.devices.meter import Meter

METERS: Registry[Callable[..., Meter]] = Registry(
    "meters",
    {
        "nvml": "pytest_llem.devices.nvml.meter:NvmlMeter",
        "zeus": "pytest_llem.devices.zeus.meter:ZeusMeter",
        "rapl": "pytest_llem.devices.rapl:RaplMeter",
        "codecarbon": "pytest_llem.devices.codecarbon:CodeCarbonMeter",
        "estimate": "pytest_llem.devices.estimate:EstimateMeter",
        "replay": "pytest_llem.devices.replay:ReplayMeter",
    },
    Contract("pytest_llem.devices.meter:Meter"),
    needs={"zeus": ("zeus",), "codecarbon": ("codecarbon",)},
)
"""Meter classes by name. All are constructed without arguments, except the estimate, which takes
a clock, and those with an ``argument``, which they take as text."""
