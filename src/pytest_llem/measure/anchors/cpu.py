"""The loops of a CPU: nothing but Python and the C library, on all cores that may be used."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_llem.measure.anchors.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VERSION = 1
HASHED_BYTES, HASHES = 1 << 20, 24
"""A thread hashes so much, so often: it stays in the cache of its core."""
COPIED_BYTES, COPIES = 128 << 20, 4
"""All threads together copy so much, so often: it goes beyond the caches."""


@contextmanager
def cpu_loops() -> Iterator[tuple[Loop, Loop]]:
    """Both loops; BLAKE2b is Python's own code, and copying is the C library's."""
    threads = _cores()
    with ThreadPoolExecutor(threads) as pool:
        hashing, copying = _Hashing(), _Copying(threads)
        yield (
            Loop(
                f"compute/cpu-blake2b-x{threads}/{VERSION}/{_interpreter()}",
                lambda: _together(pool, hashing.turn, threads),
            ),
            Loop(
                f"memory/cpu-memmove-x{threads}/{VERSION}/{_c_library()}",
                lambda: _together(pool, copying.turn, threads),
            ),
        )


class _Hashing:
    def __init__(self) -> None:
        self._data = bytes(range(256)) * (HASHED_BYTES // 256)

    def turn(self, _: int) -> None:
        for _once in range(HASHES):
            hashlib.blake2b(self._data)  # lets go of the interpreter's lock meanwhile


class _Copying:
    def __init__(self, threads: int) -> None:
        self._share = COPIED_BYTES // threads
        self._from = bytearray(b"\x5a") * COPIED_BYTES  # written, so that it has pages of its own
        self._to = bytearray(b"\x00") * COPIED_BYTES
        self._origin, self._target = (
            ctypes.addressof(ctypes.c_char.from_buffer(some)) for some in (self._from, self._to)
        )

    def turn(self, number: int) -> None:
        offset = number * self._share
        for _ in range(COPIES):  # likewise
            ctypes.memmove(self._target + offset, self._origin + offset, self._share)


def _together(pool: ThreadPoolExecutor, turn: Callable[[int], None], threads: int) -> None:
    for _ in pool.map(turn, range(threads)):
        pass


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _interpreter() -> str:
    return f"{platform.python_implementation().lower()}-{platform.python_version()}"


def _c_library() -> str:
    return "-".join(part for part in platform.libc_ver() if part) or platform.system().lower()
