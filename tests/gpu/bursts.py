"""Being busy for exactly as long as asked: what is queued is counted before more is queued."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu.load import Burst

AHEAD = 2
"""Kernels that wait behind the running one, so that the device never waits for this process."""
SPIN_NS = 1_000_000
"""Sleeping ends late; the last of it is spent looking at the clock."""
WANTED_NS = 400_000
"""How long one kernel should take: a burst ends within half of it."""
SIZES = (512, 1024, 2048, 4096, 8192)


class Kernels(Protocol):
    """Equal pieces of work for a device, queued one by one."""

    each_ns: float
    """How long one takes."""

    def launch(self) -> None:
        """Queue one; returns at once."""
        ...

    def wait_oldest(self) -> None:
        """Wait until the oldest that was queued has ended."""
        ...


def burst(kernels: Kernels, until_ns: int, clock: Callable[[], int] = time.monotonic_ns) -> Burst:
    """Keep the device busy until *until_ns*; it is idle again when this returns."""
    start_ns, queued, launched = clock(), 0, 0
    while until_ns - clock() >= (queued + 0.5) * kernels.each_ns:
        kernels.launch()
        queued, launched = queued + 1, launched + 1
        if queued > AHEAD:
            kernels.wait_oldest()
            queued -= 1
    for _ in range(queued):
        kernels.wait_oldest()
    end_ns = clock()
    if launched > AHEAD:  # clocks change under load
        kernels.each_ns += 0.1 * ((end_ns - start_ns) / launched - kernels.each_ns)
    return start_ns, end_ns


def square(  # noqa: PLR0913 - a wave and the time it is in
    kernels: Kernels,
    *,
    start_ns: int,
    period_ns: float,
    on_ns: int,
    count: int,
    clock: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Burst]:
    """Bursts of *on_ns*, one at the start of each period."""
    bursts = []
    for number in range(count):
        begin_ns = start_ns + round(number * period_ns)
        wait_until(begin_ns, clock, sleep)
        bursts.append(burst(kernels, begin_ns + on_ns, clock))
    return bursts


def wait_until(time_ns: int, clock: Callable[[], int], sleep: Callable[[float], None]) -> None:
    """Sleep nearly until an instant, then watch the clock; late instants are not waited for."""
    early_ns = time_ns - clock() - SPIN_NS
    if early_ns > 0:
        sleep(early_ns / 1e9)
    while clock() < time_ns:
        pass


class CudaKernels:
    """Matrix products on a CUDA device, each followed by an event.

    Their size is chosen so that one takes about ``WANTED_NS``, timed with events after the
    device has warmed up.
    """

    def __init__(self, torch: Any, device: str) -> None:
        self._torch, self._device = torch, device
        self._events: deque[Any] = deque()
        self._spare: list[Any] = []
        self.size, self.each_ns = self._calibrated()

    def launch(self) -> None:
        self._torch.mm(self._left, self._right, out=self._out)
        event = self._spare.pop() if self._spare else self._torch.cuda.Event(enable_timing=False)
        event.record()
        self._events.append(event)

    def wait_oldest(self) -> None:
        event = self._events.popleft()
        event.synchronize()
        self._spare.append(event)

    def _calibrated(self) -> tuple[int, float]:
        timed: dict[int, float] = {}
        for size in SIZES:
            self._take(size)
            timed[size] = self._timed_ns(20)
            if timed[size] > 2 * WANTED_NS:
                break
        best = min(timed, key=lambda size: abs(timed[size] - WANTED_NS))
        self._take(best)
        self._timed_ns(max(round(5e8 / timed[best]), 1))  # clocks rise within half a second
        return best, self._timed_ns(50)

    def _take(self, size: int) -> None:
        torch = self._torch
        generator = torch.Generator(device=self._device).manual_seed(0)
        shape = {"device": self._device, "dtype": torch.bfloat16}
        self._left = torch.randn(size, size, generator=generator, **shape)
        self._right = torch.randn(size, size, generator=generator, **shape)
        self._out = torch.empty(size, size, **shape)

    def _timed_ns(self, count: int) -> float:
        cuda = self._torch.cuda
        begin, end = (cuda.Event(enable_timing=True) for _ in range(2))
        self._torch.mm(self._left, self._right, out=self._out)
        cuda.synchronize(self._device)
        begin.record()
        for _ in range(count):
            self._torch.mm(self._left, self._right, out=self._out)
        end.record()
        cuda.synchronize(self._device)
        return float(begin.elapsed_time(end)) * 1e6 / count


class CpuKernels:
    """The same on a CPU, where nothing is queued: for trying the rest out."""

    size = 128

    def __init__(self, torch: Any) -> None:
        torch.set_num_threads(1)
        self._torch, self._matrix = torch, torch.ones(self.size, self.size)
        began_ns = time.monotonic_ns()
        for _ in range(20):
            self.launch()
        self.each_ns = (time.monotonic_ns() - began_ns) / 20

    def launch(self) -> None:
        self._torch.mm(self._matrix, self._matrix)

    def wait_oldest(self) -> None:
        pass
