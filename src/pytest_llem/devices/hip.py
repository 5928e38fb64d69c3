"""Which AMD GPUs HIP shows to a process, and in which order.

ROCm documentation, "GPU isolation techniques": ``HIP_VISIBLE_DEVICES`` lists indices, and
``CUDA_VISIBLE_DEVICES`` means the same to HIP where that is not set. ``ROCR_VISIBLE_DEVICES``
and ``GPU_DEVICE_ORDINAL`` hide GPUs below HIP and renumber them; which index is which GPU
then depends on both, so they are refused where there is more than one GPU.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_llem.devices.visibility import Visibility
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.devices.meter import Device

AMD = "AMD-"
"""How UUIDs of AMD GPUs begin here; amdsmi gives them without any prefix."""
VISIBLE = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
BELOW = ("ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")


def visible_to_hip(gpus: Sequence[Device], environ: Mapping[str, str]) -> Visibility:
    """The GPUs that a process with *environ* sees.

    Args:
        gpus: all AMD GPUs of the machine in the order of HIP.
        environ: environment of the process.

    Raises:
        ConfigError: it cannot be told which GPUs HIP would show.
    """
    hiding = [name for name in BELOW if name in environ]
    if hiding and len(gpus) > 1:
        raise ConfigError(
            f"{hiding[0]}={environ[hiding[0]]!r} renumbers GPUs below HIP, so it cannot be told "
            f"which of the {len(gpus)} GPUs an index means. Choose them with {VISIBLE[0]} instead."
        )
    name = next((name for name in VISIBLE if name in environ), None)
    if name is None:
        return Visibility(tuple(gpus), None, f"{VISIBLE[0]} is not set")
    how = f"{name}={environ[name]!r}"
    entries = [entry.strip() for entry in environ[name].split(",")]
    if entries in ([""], ["-1"]):
        return Visibility((), None, how)
    return Visibility(tuple(gpus[number] for number in _numbers(entries, gpus, how)), None, how)


def showing_to_hip(
    used: Sequence[Device], gpus: Sequence[Device], environ: Mapping[str, str]
) -> dict[str, str]:
    """What has to be added to *environ* for HIP to show *used* only, in that order.

    Where ``CUDA_VISIBLE_DEVICES`` is set too it is made to say the same: programs differ in
    which of the two they look at.
    """
    numbers = ",".join(str(gpus.index(gpu)) for gpu in used)
    return {name: numbers for name in VISIBLE if name == VISIBLE[0] or name in environ}


def _numbers(entries: Sequence[str], gpus: Sequence[Device], how: str) -> list[int]:
    numbers = [int(entry) if re.fullmatch(r"[0-9]+", entry) else len(gpus) for entry in entries]
    if len(set(numbers)) < len(numbers) or max(numbers) >= len(gpus):
        raise ConfigError(
            f"{how} cannot be read for certain: write each index once, from 0 to {len(gpus) - 1}."
        )
    return numbers
