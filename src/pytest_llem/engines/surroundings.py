"""Environment variables that are set while an engine loads a model."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEVICES = "CUDA_VISIBLE_DEVICES"


def only_device(device: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What *environ* needs so that an engine which takes GPUs from 0 on takes ``cuda:N``.

    Nothing for other devices, and where fewer are visible: the engine then says so.
    """
    index = device.removeprefix("cuda:")
    if not index.isdigit() or index == "0":
        return {}
    visible = [one for one in environ.get(DEVICES, "").split(",") if one]
    if not visible:
        return {DEVICES: index}
    return {DEVICES: visible[int(index)]} if int(index) < len(visible) else {}


@contextmanager
def surrounded(more: Mapping[str, str]) -> Iterator[None]:
    """The environment with *more*, and as it was afterwards."""
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
