"""Windows at several output lengths whose cost is known, as samples without a trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.energy.measured import WindowSample

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from pytest_llem.energy.marks import WindowPhase

    Cost = Callable[[int], float]
    """Joules of a pass by the tokens it decodes."""
    Scatter = Callable[[int, float], float]
    """Standard deviation of that by the output length and the joules themselves."""

POWER_W = 300.0
REQUESTS = 4
WINDOW_S = 1.0


@dataclass(frozen=True)
class Machine:
    """A server of one batch after the other, which spends 300 W and what *cost* says."""

    cost: Cost
    scatter: Scatter = field(default=lambda _length, _cost_j: 0.0)
    stated: float = 0.0
    """Half-width that the instrument states, as a share of the energy."""
    output_tokens: int = 128
    """Of the requests over the whole."""
    course: Callable[[float], float] = field(default=lambda _: 1.0)
    """By how much everything costs more at an instant, in seconds since the first window."""

    def samples(
        self,
        rng: random.Random,
        lengths: Sequence[int] = (32, 64, 96),
        *,
        wholes: int = 5,
        prefills: int = 0,
        each: int = 4,
    ) -> list[WindowSample]:
        """Windows over the whole, of prefill only, and *each* at every one of *lengths*."""
        wanted: list[tuple[WindowPhase, int]] = [("whole", self.output_tokens)] * wholes
        wanted += [("prefill", 1)] * prefills
        wanted += [("length", length) for _ in range(each) for length in lengths]
        found: list[WindowSample] = []
        for phase, length in wanted:
            start_ns = found[-1].end_ns if found else 0
            found.append(self.window(phase, length, rng, start_ns))
        return found

    @property
    def truth_j(self) -> tuple[float, float]:
        """Prefill and decode of a pass of the whole."""
        prefill_j = self.cost(0)
        return prefill_j, self.cost(REQUESTS * (self.output_tokens - 1)) - prefill_j

    def window(
        self, phase: WindowPhase, length: int, rng: random.Random, start_ns: int = 0
    ) -> WindowSample:
        cost_j = self.cost(REQUESTS * (length - 1))
        passes = max(round(WINDOW_S * POWER_W / cost_j), 1)
        duration_s = passes * cost_j / POWER_W
        seen_j = rng.gauss(cost_j, self.scatter(length, cost_j))
        seen_j *= self.course(start_ns / 1e9 + duration_s / 2)
        return SAMPLE.model_copy(
            update={
                "phase": phase,
                "output_length": length,
                "start_ns": start_ns,
                "end_ns": start_ns + round(duration_s * 1e9),
                "passes": passes,
                "duration_s": duration_s,
                "energy_j": passes * seen_j,
                "energy_uncertainty_j": passes * self.stated * cost_j,
                "requests": passes * REQUESTS,
                "input_tokens": passes * REQUESTS * 16,
                "output_tokens": passes * REQUESTS * length,
            }
        )


SAMPLE = WindowSample(
    phase="whole",
    index=0,
    start_ns=0,
    end_ns=1,
    duration_s=1.0,
    passes=1,
    energy_j=None,
    energy_uncertainty_j=None,
    counter_energy_j=None,
    integrated_energy_j=None,
    power_w=None,
    requests=None,
    input_tokens=None,
    output_tokens=None,
    ttft_s=None,
    itl_s=None,
    temperature_c=None,
    sm_clock_mhz=None,
    power_limit_w=None,
    throttle_reasons=None,
    valid=True,
    warnings=(),
)
