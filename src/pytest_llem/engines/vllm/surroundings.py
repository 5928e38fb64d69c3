"""Environment variables that vLLM reads, set while a model is loaded and only where unset."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_llem.config.experiment import ExperimentConfig

QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "TOKENIZERS_PARALLELISM": "false",
}
MULTIPROCESSING = "VLLM_ENABLE_V1_MULTIPROCESSING"
BINDING = "VLLM_CPU_OMP_THREADS_BIND"
THREADS = "OMP_NUM_THREADS"
DEVICES = "CUDA_VISIBLE_DEVICES"


def variables(
    config: ExperimentConfig, *, small: bool, environ: Mapping[str, str]
) -> dict[str, str]:
    """What *environ* should have more, or other, while the model of *config* is loaded.

    Args:
        config: the experiment.
        small: the model is too small for its layers to be shared between threads.
        environ: the environment as it is.
    """
    found = {name: value for name, value in QUIET.items() if name not in environ}
    if (multiprocessing := config.vllm.multiprocessing) is not None:
        found[MULTIPROCESSING] = str(int(multiprocessing))
    if small and THREADS not in environ:
        found[THREADS] = "1"
    if BINDING not in environ and (small or THREADS in environ):
        found[BINDING] = "nobind"  # else vLLM overrules the number of threads
    index = config.device.removeprefix("cuda:")
    if index.isdigit() and index != "0":
        visible = [one for one in environ.get(DEVICES, "").split(",") if one]
        if not visible:
            found[DEVICES] = index
        elif int(index) < len(visible):
            found[DEVICES] = visible[int(index)]
    return found


def in_one_process(environ: Mapping[str, str]) -> bool:
    """Whether the engine's core runs in this process, unless it streams."""
    return environ.get(MULTIPROCESSING, "1") == "0"


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
