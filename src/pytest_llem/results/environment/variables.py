"""Environment variables that move energy or speed, and never a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = frozenset(
    {
        "ATEN_CPU_CAPABILITY",
        "CUDA_DEVICE_ORDER",
        "CUDA_VISIBLE_DEVICES",
        "GOMP_CPU_AFFINITY",
        "HF_HUB_OFFLINE",
        "HIP_VISIBLE_DEVICES",
        "MALLOC_ARENA_MAX",
        "PYTORCH_ALLOC_CONF",
        "PYTORCH_CUDA_ALLOC_CONF",
        "RAYON_NUM_THREADS",
        "ROCR_VISIBLE_DEVICES",
        "TOKENIZERS_PARALLELISM",
    }
)
_PREFIXES = ("KMP_", "MKL_", "NCCL_", "OMP_", "OPENBLAS_", "VLLM_")
_SECRET_NAME = re.compile(r"TOKEN|KEY|SECRET|PASSW|PWD|CREDENTIAL|AUTH", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"://[^/\s]*@")
"""A URL with a user or password before its host (RFC 3986, section 3.2.1)."""


def environment_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of the short list that are set, sorted by name."""
    return {name: environ[name] for name in sorted(environ) if _recorded(name, environ[name])}


def _recorded(name: str, value: str) -> bool:
    listed = name in _NAMES
    if not listed and (not name.startswith(_PREFIXES) or _SECRET_NAME.search(name)):
        return False
    return not _SECRET_VALUE.search(value)


def threads(environ: Mapping[str, str]) -> int | None:
    """``OMP_NUM_THREADS``, of the outermost level if it is a list; ``None`` if not set."""
    outermost = environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(outermost) if outermost.strip() else None
