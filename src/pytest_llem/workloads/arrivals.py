"""When requests come that do not wait for one another."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def arrival_times_s(rate_per_s: float, burstiness: float, seed: int) -> Iterator[float]:
    """Seconds after the start at which requests come, endlessly, the same for the same seed.

    Times between them have a gamma distribution of the shape *burstiness* and the mean
    ``1 / rate_per_s``; of the shape 1 that is exponential, so that arrivals are Poisson's.
    Python draws both alike on every platform (Cheng 1977, Applied Statistics 26, 71).
    """
    drawn = Random(f"pytest-llem/arrivals/{seed}")  # noqa: S311 - reproducible, not secret
    scale_s = 1 / (rate_per_s * burstiness)
    now_s = 0.0
    while True:
        now_s += drawn.gammavariate(burstiness, scale_s)
        yield now_s
