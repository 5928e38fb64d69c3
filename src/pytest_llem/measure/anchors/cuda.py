"""The loops of NVIDIA's GPUs, run through the driver alone.

Entry points and constants: NVIDIA, "CUDA Driver API".
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.errors import EngineError
from pytest_llem.measure.anchors.kernels import BLOCKS, COMPUTE, MEMORY, THREADS, source
from pytest_llem.measure.anchors.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

VERSION = 1
LIBRARY = "libcuda.so.1"
TURNS = 16384
"""Of the logistic map a pass: 20 ms or so on an H100, by its 28 T operations a second."""
COPIED_BYTES, COPIES = 256 << 20, 64
"""A pass copies so much, so often: it goes beyond the second-level cache."""
_VECTOR_BYTES = 16
_BLOCKING_SYNC = 4
"""``CU_CTX_SCHED_BLOCKING_SYNC``: who waits for the GPU leaves the CPU alone."""
_ARGUMENTS: dict[str, Sequence[Any]] = {
    "cuInit": (c_uint,),
    "cuDriverGetVersion": (POINTER(c_int),),
    "cuDeviceGetCount": (POINTER(c_int),),
    "cuDeviceGet": (POINTER(c_int), c_int),
    "cuDevicePrimaryCtxSetFlags_v2": (c_int, c_uint),
    "cuDevicePrimaryCtxRetain": (POINTER(c_void_p), c_int),
    "cuDevicePrimaryCtxRelease_v2": (c_int,),
    "cuCtxSetCurrent": (c_void_p,),
    "cuCtxSynchronize": (),
    "cuModuleLoadData": (POINTER(c_void_p), c_char_p),
    "cuModuleGetFunction": (POINTER(c_void_p), c_void_p, c_char_p),
    "cuMemAlloc_v2": (POINTER(c_uint64), c_size_t),
    "cuMemsetD32_v2": (c_uint64, c_uint, c_size_t),
    "cuLaunchKernel": (c_void_p, *[c_uint] * 7, c_void_p, POINTER(c_void_p), c_void_p),
    "cuGetErrorString": (c_int, POINTER(c_char_p)),
}


class Driver:
    """The CUDA driver, with errors as exceptions."""

    def __init__(self) -> None:
        """Load it.

        Raises:
            EngineError: there is none, it is of another kind, or it does not start.
        """
        try:
            library = ctypes.CDLL(LIBRARY)
            self._functions = {name: getattr(library, name) for name in _ARGUMENTS}
        except (OSError, AttributeError) as error:
            raise EngineError(
                f"the loops of a GPU need NVIDIA's driver here, beside pytest: {error}."
            ) from error
        for name, types in _ARGUMENTS.items():
            self._functions[name].argtypes = list(types)
            self._functions[name].restype = c_int
        self.call("cuInit", 0)

    def call(self, name: str, *arguments: Any) -> None:
        """Call an entry point.

        Raises:
            EngineError: it returned an error.
        """
        code = self._functions[name](*arguments)
        if code:
            said = c_char_p()
            self._functions["cuGetErrorString"](code, byref(said))
            text = (said.value or b"unknown error").decode(errors="replace")
            raise EngineError(f"{name} of NVIDIA's driver failed: {text} (error {code}).")

    def number(self, name: str) -> int:
        """What an entry point answers that gives one number."""
        found = c_int()
        self.call(name, byref(found))
        return found.value


@dataclass(frozen=True, slots=True)
class _Card:
    """One GPU with both kernels loaded and memory to work on."""

    device: c_int
    context: c_void_p
    compute: c_void_p
    memory: c_void_p
    to: int
    origin: int


@contextmanager
def cuda_loops(count: int, driver_version: str | None) -> Iterator[tuple[Loop, Loop]]:
    """Both loops on all *count* GPUs that this process sees, on all at once.

    *driver_version* belongs to the identity, since the driver compiles the kernels; ``None``
    takes the version of CUDA that it is for.

    Raises:
        EngineError: there is no driver, there are other GPUs, or it refuses the kernels.
    """
    driver = Driver()
    seen = driver.number("cuDeviceGetCount")
    if seen != count:
        raise EngineError(f"anchors are for {count} GPUs, but this process sees {seen}.")
    cards = [_card(driver, number) for number in range(count)]
    identity = driver_version or f"cuda-{driver.number('cuDriverGetVersion')}"
    yield (
        Loop(
            f"compute/cuda-logistic-f32/{VERSION}/driver-{identity}",
            lambda: _on_all(driver, cards, _compute),
        ),
        Loop(
            f"memory/cuda-copy/{VERSION}/driver-{identity}",
            lambda: _on_all(driver, cards, _copy),
        ),
    )
    for card in cards:
        driver.call("cuDevicePrimaryCtxRelease_v2", card.device)


def _card(driver: Driver, number: int) -> _Card:
    device, context, module = c_int(), c_void_p(), c_void_p()
    driver.call("cuDeviceGet", byref(device), number)
    driver.call("cuDevicePrimaryCtxSetFlags_v2", device, _BLOCKING_SYNC)
    driver.call("cuDevicePrimaryCtxRetain", byref(context), device)
    driver.call("cuCtxSetCurrent", context)
    driver.call("cuModuleLoadData", byref(module), source())
    functions = []
    for name in (COMPUTE, MEMORY):
        function = c_void_p()
        driver.call("cuModuleGetFunction", byref(function), module, name.encode())
        functions.append(function)
    memory = []
    for _ in range(2):
        there = c_uint64()
        driver.call("cuMemAlloc_v2", byref(there), COPIED_BYTES)
        driver.call("cuMemsetD32_v2", there, 0x5A5A5A5A, COPIED_BYTES // 4)
        memory.append(there.value)
    return _Card(device, context, functions[0], functions[1], memory[0], memory[1])


def _on_all(
    driver: Driver, cards: Sequence[_Card], launch: Callable[[Driver, _Card], None]
) -> None:
    for card in cards:
        driver.call("cuCtxSetCurrent", card.context)
        launch(driver, card)
    for card in cards:
        driver.call("cuCtxSetCurrent", card.context)
        driver.call("cuCtxSynchronize")


def _compute(driver: Driver, card: _Card) -> None:
    _launch(driver, card.compute, c_uint64(card.to), c_uint(TURNS))


def _copy(driver: Driver, card: _Card) -> None:
    count = c_uint(COPIED_BYTES // _VECTOR_BYTES)
    for _ in range(COPIES):
        _launch(driver, card.memory, c_uint64(card.to), c_uint64(card.origin), count)


def _launch(driver: Driver, kernel: c_void_p, *values: c_uint64 | c_uint) -> None:
    """Start a kernel on the current GPU; the driver copies *values* before it returns."""
    pointers = (c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
    driver.call("cuLaunchKernel", kernel, BLOCKS, 1, 1, THREADS, 1, 1, 0, None, pointers, None)
