"""What published sources say of accelerators: bandwidth, arithmetic, and watts at rest.

The figures and their sources are in the system profiles
(:mod:`pytest_llem.config.profiles`), those of users included.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pytest_llem.config.layers.project import user_directory
from pytest_llem.config.profiles.finding import built_ins, of_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One model of accelerator; its own limits, whatever power limit is set."""

    bandwidth_bytes_per_s: float
    """Of its memory."""
    flop_per_s: Mapping[str, float]
    """Peak of dense arithmetic by data type, tensor cores where there are any for it."""
    power_limit_w: float
    """Thermal design power."""
    memory_pj_per_bit: float
    on_chip_bytes: int
    """L2 cache, register files, and L1 with shared memory, together: what a chip could at most
    keep from one step to the next."""
    static_power_w: float | None = None
    """Power of a card that holds a CUDA context and does nothing; ``None`` is not published."""

    def flop_rate(self, dtype: str | None) -> float | None:
        """Peak arithmetic in *dtype*; ``None`` if it has none of its own."""
        return None if dtype is None else self.flop_per_s.get(dtype)


@cache
def accelerators() -> dict[str, Accelerator]:
    """The built-in ones, by the name that NVML gives; none whose figures are incomplete."""
    found = ((device, _accelerator(one)) for one in built_ins() for device in one.devices)
    return {device: accelerator for device, accelerator in found if accelerator is not None}


def accelerator_named(name: str) -> Accelerator | None:
    """The accelerator that NVML calls *name*; ``None`` if no profile has all of its figures.

    A user's own profile comes first, unless it has not all of them.

    Raises:
        ConfigError: a user's profile says what cannot be.
    """
    profiles = (of_device(name, user_directory(os.environ)), of_device(name))
    found = (_accelerator(one) for one in profiles if one is not None)
    return next((one for one in found if one is not None), None)


def _accelerator(profile: Profile) -> Accelerator | None:
    known = profile.floor
    if (
        known.bandwidth_bytes_per_s is None
        or profile.power_limit_w is None
        or known.memory_pj_per_bit is None
        or known.on_chip_bytes is None
    ):
        return None
    return Accelerator(
        known.bandwidth_bytes_per_s,
        known.flop_per_s,
        profile.power_limit_w,
        known.memory_pj_per_bit,
        known.on_chip_bytes,
        known.static_power_w,
    )
