"""Which torch device, data type and threads an experiment gets.

Every function takes the imported ``torch`` module, so that importing this file
costs nothing.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

DTYPES = ("float32", "float16", "bfloat16")


def resolve_device(torch: Any, device: str) -> str:
    """The torch device string for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        EngineError: no such device here; the message says what to do.
    """
    if device == "cpu":
        return "cpu"
    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise EngineError(
            f"device={device!r} is unknown to the transformers engine. Use auto, cpu, cuda or cuda:N."
        )
    if not torch.cuda.is_available():
        raise EngineError(f"device={device!r}, but {_why_no_cuda(torch)}, or use device='cpu'.")
    index, count = int(match[1] or 0), torch.cuda.device_count()
    if index >= count:
        raise EngineError(
            f"device={device!r}, but this process sees {count} CUDA device(s), cuda:0 to "
            f"cuda:{count - 1}. Choose one of them, or check CUDA_VISIBLE_DEVICES."
        )
    return f"cuda:{index}"


def _why_no_cuda(torch: Any) -> str:
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return (
            f"torch {torch.__version__} is a build without CUDA. Install a CUDA build "
            "(https://pytorch.org/get-started/locally)"
        )
    return "torch finds no CUDA device. Check the driver with nvidia-smi, and CUDA_VISIBLE_DEVICES"


def require_dtype(torch: Any, dtype: str, device: str) -> None:
    """Make sure that *device* computes in *dtype*; ``auto`` is always accepted.

    Raises:
        EngineError: it does not, or only by emulation; the message names the alternatives.
    """
    if dtype == "auto" or computes(torch, dtype, device):
        return
    others = [other for other in DTYPES if other != dtype and computes(torch, other, device)]
    raise EngineError(
        f"dtype={dtype!r} is not supported by {device} ({device_name(torch, device)}). "
        f"Use dtype={' or '.join(map(repr, others)) or repr('auto')}, or another device."
    )


def computes(torch: Any, dtype: str, device: str) -> bool:
    """Whether *device* multiplies matrices of *dtype* natively."""
    if device.startswith("cuda") and dtype == "bfloat16":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        ones = torch.ones(2, 2, dtype=getattr(torch, dtype), device=device)
        return bool((ones @ ones).sum().item() == 8)  # noqa: PLR2004 - two times two times two
    except RuntimeError:
        return False


def device_name(torch: Any, device: str) -> str | None:
    """The device's product name, ``None`` if it is unknown."""
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:  # noqa: PTH123 - a pseudo file
            names = (line.partition(":")[2] for line in cpuinfo if line.startswith("model name"))
            return next(names).strip()
    except (OSError, StopIteration):
        return None


def device_uuid(torch: Any, device: str) -> str | None:
    """NVML's UUID of a CUDA device, ``None`` for others and where torch does not say."""
    if not device.startswith("cuda"):
        return None
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return None if uuid is None else f"GPU-{uuid}"


def default_threads(environ: Mapping[str, str], cores: int) -> int | None:
    """Threads inside an operator: one less than *cores*; ``None`` where OMP_NUM_THREADS decides.

    As many threads as cores collapse as soon as one of the cores has anything
    else to do, since every parallel region waits for its slowest thread.
    """
    if environ.get("OMP_NUM_THREADS"):
        return None
    return max(1, cores - 1)


def usable_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0))
