"""What a process inherits from the one that starts it."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.isolation.launcher import CHANNEL_VARIABLE, HOST_VARIABLE
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

LATE = (
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HIP_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "PYTEST_CURRENT_TEST",
    "ROCR_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
)
"""Variables that nothing reads before a device is used; they may differ between forks."""
OWN = frozenset({*LATE, CHANNEL_VARIABLE, HOST_VARIABLE, TOKEN_VARIABLE})
LIMITS = sorted(name for name in dir(resource) if name.startswith("RLIMIT_"))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is read once, at a process's start: where it differs, a fork is not as a fresh process."""

    directory: Path
    environment: tuple[tuple[str, str], ...]
    mask: str
    """Permissions that new files lack."""
    cores: tuple[int, ...]
    limits: tuple[tuple[int, int], ...]


def surroundings(directory: Path, environment: Mapping[str, str]) -> Surroundings:
    """What a process started now in *directory* with *environment* would inherit."""
    lasting = sorted((name, value) for name, value in environment.items() if name not in OWN)
    return Surroundings(
        directory,
        tuple(lasting),
        _mask(),
        tuple(sorted(os.sched_getaffinity(0))),
        tuple(resource.getrlimit(getattr(resource, name)) for name in LIMITS),
    )


def late(environment: Mapping[str, str]) -> dict[str, str | None]:
    """The variables that a fork is told; ``None`` for those that are not set."""
    return {name: environment.get(name) for name in LATE}


def _mask() -> str:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith("Umask:")), "")
