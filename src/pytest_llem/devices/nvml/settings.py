"""How a GPU is set up: what of it explains a change between two runs, and nobody looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LINKS = 36
"""More NVLinks than any GPU has (nvml.h: ``NVML_NVLINK_MAX_LINKS`` is 18, or 36 on Rubin)."""


def gpu_settings(nvml: Any, known: Callable[..., Any]) -> dict[str, Any]:
    """Clocks, power limits, link and modes of a GPU, by the names of the environment snapshot.

    Clocks in MHz, limits in watts. A value that the driver, the card or this version of the
    Python binding does not know is ``None``. NVML does not tell whether clocks are locked.

    Args:
        nvml: the module ``pynvml``.
        known: asks a function about this GPU, with further arguments; ``None`` is no answer.
    """

    def asked(name: str, *arguments: Any) -> Any:
        call = getattr(nvml, name, None)
        return None if call is None else known(call, *arguments)

    sm, memory = nvml.NVML_CLOCK_SM, nvml.NVML_CLOCK_MEM
    limits_mw = asked("nvmlDeviceGetPowerManagementLimitConstraints") or (None, None)
    ecc = asked("nvmlDeviceGetEccMode") or (None, None)
    mig = asked("nvmlDeviceGetMigMode") or (None, None)
    return {
        "sm_clock_mhz": asked("nvmlDeviceGetClockInfo", sm),
        "memory_clock_mhz": asked("nvmlDeviceGetClockInfo", memory),
        "max_memory_clock_mhz": asked("nvmlDeviceGetMaxClockInfo", memory),
        "application_sm_clock_mhz": asked("nvmlDeviceGetApplicationsClock", sm),
        "application_memory_clock_mhz": asked("nvmlDeviceGetApplicationsClock", memory),
        "default_application_sm_clock_mhz": asked("nvmlDeviceGetDefaultApplicationsClock", sm),
        "default_power_limit_w": _watts(asked("nvmlDeviceGetPowerManagementDefaultLimit")),
        "min_power_limit_w": _watts(limits_mw[0]),
        "max_power_limit_w": _watts(limits_mw[1]),
        "ecc_pending": _switch(ecc[1]),
        "mig_pending": _switch(mig[1]),
        "pcie_generation": asked("nvmlDeviceGetCurrPcieLinkGeneration"),
        "max_pcie_generation": asked("nvmlDeviceGetMaxPcieLinkGeneration"),
        "pcie_width": asked("nvmlDeviceGetCurrPcieLinkWidth"),
        "max_pcie_width": asked("nvmlDeviceGetMaxPcieLinkWidth"),
        "nvlinks": _links(asked),
        "vbios_version": asked("nvmlDeviceGetVbiosVersion"),
    }


def _links(asked: Callable[..., Any]) -> int | None:
    """How many links are up; ``None`` if the GPU has none."""
    states = []
    for link in range(MOST_LINKS):
        state = asked("nvmlDeviceGetNvLinkState", link)
        if state is None:  # beyond its last link, or without any
            break
        states.append(state)
    return sum(map(bool, states)) if states else None


def _watts(milliwatts: int | None) -> float | None:
    return milliwatts / 1000 if milliwatts else None


def _switch(mode: int | None) -> bool | None:
    return None if mode is None else bool(mode)
