"""Which GPUs CUDA shows to a process, and in which order.

CUDA Programming Guide, appendix "CUDA Environment Variables":

- ``CUDA_VISIBLE_DEVICES`` lists indices or UUIDs; listed GPUs are enumerated in the order
  of the list; a UUID may be cut short as long as it is unique; an invalid index hides
  itself and all after it (``0,2,-1,1`` shows 0 and 2); an empty string shows none.
- ``CUDA_DEVICE_ORDER`` is ``FASTEST_FIRST`` (the default: fastest to slowest by a
  heuristic) or ``PCI_BUS_ID`` (ascending bus ids). An index means a GPU only once the
  order is known: among like GPUs both orders are that of the bus ids, among unlike ones
  only ``PCI_BUS_ID`` can be foretold. NVML's own indices take no part in this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, MeterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.devices.meter import Device

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
NVIDIA = "GPU-"
"""How UUIDs of NVIDIA's GPUs begin."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a process sees of a machine's GPUs."""

    gpus: tuple[Device, ...]
    """In CUDA's order: the first is ``cuda:0``."""
    uncertain: str | None
    """Why CUDA's order cannot be foretold and what helps; ``None`` if ``gpus`` is right."""
    how: str
    """What decided it, for messages."""


def visible_gpus(gpus: Sequence[Device], environ: Mapping[str, str]) -> Visibility:
    """The GPUs that a process with *environ* sees.

    Args:
        gpus: all GPUs of the machine in the order of their PCI bus ids.
        environ: environment of the process.

    Raises:
        ConfigError: ``CUDA_VISIBLE_DEVICES`` can be read in more than one way.
        MeterError: it names a MIG slice.
    """
    text = environ.get(VISIBLE)
    if text is None:
        return Visibility(tuple(gpus), _uncertainty(gpus, environ), f"{VISIBLE} is not set")
    how = f"{VISIBLE}={text!r}"
    entries = [entry.strip() for entry in text.split(",")]
    by_index = entries[0][:1].isdigit() or entries[0][:1] == "+"
    shown: list[Device] = []
    for entry in entries:
        gpu = _by_index(entry, gpus, how) if by_index else _by_uuid(entry, gpus, how)
        if gpu is None:
            break
        if gpu in shown:
            raise ConfigError(f"{how} names GPU {gpu.uuid} twice. Name each GPU once.")
        shown.append(gpu)
    return Visibility(tuple(shown), _uncertainty(gpus, environ) if by_index else None, how)


def _by_index(entry: str, gpus: Sequence[Device], how: str) -> Device | None:
    """The GPU with this index; ``None`` where CUDA would end the list."""
    if re.fullmatch(r"\+?[0-9]+", entry):
        index = int(entry)
        return gpus[index] if index < len(gpus) else None
    if re.match(r"\+?[0-9]|GPU-|MIG-", entry):
        raise ConfigError(
            f"{how} cannot be read for certain at {entry!r}. "
            "Write either indices (0,1) or UUIDs (GPU-8932f937,…), not both."
        )
    return None


def _by_uuid(entry: str, gpus: Sequence[Device], how: str) -> Device | None:
    """The GPU whose UUID begins so; ``None`` where CUDA would end the list."""
    if entry.startswith("MIG-"):
        raise MeterError(
            f"{how} names a MIG slice: slices share their GPU's sensor, so energy cannot be "
            "attributed to one of them. Switch MIG off (nvidia-smi -mig 0) or use another GPU."
        )
    if re.match(r"\+?[0-9]", entry):
        raise ConfigError(
            f"{how} cannot be read for certain at {entry!r}. "
            "Write either indices (0,1) or UUIDs (GPU-8932f937,…), not both."
        )
    found = [gpu for gpu in gpus if gpu.uuid.startswith(entry)] if entry[:4] == "GPU-" else []
    return found[0] if len(found) == 1 else None


def _uncertainty(gpus: Sequence[Device], environ: Mapping[str, str]) -> str | None:
    """Why an index might be another GPU for CUDA than it is in *gpus*, and what helps."""
    if len(gpus) > 1 and any(gpu.refusal for gpu in gpus):
        return (
            "CUDA numbers GPUs by rules of its own where one of them is in MIG mode. "
            f"Name GPUs by UUID in {VISIBLE} (nvidia-smi -L lists them)."
        )
    names = list(dict.fromkeys(gpu.name for gpu in gpus))
    if len(names) > 1 and environ.get(ORDER) != "PCI_BUS_ID":
        return (
            f"CUDA numbers unlike GPUs ({', '.join(names)}) by which it takes for the fastest. "
            f"Set {ORDER}=PCI_BUS_ID, or name GPUs by UUID in {VISIBLE} (nvidia-smi -L lists them)."
        )
    return None
