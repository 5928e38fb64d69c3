"""Prefill and decode as two parts of a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import UNKNOWN, completed
from pytest_llem.energy.measured import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.energy.measured import PhaseMethod


@dataclass(frozen=True, slots=True)
class Prefill:
    """What one pass of the workload spends until every request has its first token."""

    energy_j: float
    energy_uncertainty_j: float | None
    """Half-width of the 95 % interval."""
    duration_s: float
    decode_uncertainty_j: float | None
    """Half-width of the 95 % interval of the whole less prefill: what errs in both alike is
    not counted twice."""
    ttft_s: float | None = None
    """Mean time to first token."""


@dataclass(frozen=True, slots=True)
class Told:
    """How the phases were told apart."""

    method: PhaseMethod
    prefill: str
    """A sentence."""
    decode: str


@dataclass(frozen=True, slots=True)
class Split:
    """Prefill and decode; unknown together, or known together and summing up to the whole."""

    prefill: Phase
    decode: Phase

    @property
    def resolved(self) -> bool:
        return self.prefill.method != "unresolved"

    def noted(self, sentence: str) -> Split:
        """The same with *sentence* after what is said of either phase."""
        return Split(_noted(self.prefill, sentence), _noted(self.decode, sentence))


def split(whole: Mapping[str, Any], prefill: Prefill, told: Told) -> Split:
    """Prefill, and decode as the rest of a whole with the figures *whole*.

    The first token of every request is prefill's output, the others are decode's. Tokens,
    energies and durations of the two add up to the whole, to the last bit.
    """
    first_j, energy_j = parts_of(whole["energy_j"], prefill.energy_j)
    first_s, duration_s = parts_of(whole["duration_s"], prefill.duration_s)
    if min(energy_j, duration_s, first_j, first_s) <= 0:
        return unresolved(
            f"Prefill came to {prefill.energy_j:.4g} J and {prefill.duration_s:.4g} s, the whole to "
            f"{whole['energy_j']:.4g} J and {whole['duration_s']:.4g} s: the difference is lost in "
            "the noise."
        )
    first = completed(
        {
            "energy_j": first_j,
            "energy_uncertainty_j": prefill.energy_uncertainty_j,
            "duration_s": first_s,
            "requests": whole["requests"],
            "input_tokens": whole["input_tokens"],
            "output_tokens": whole["requests"],
            "ttft_s": prefill.ttft_s,
            "itl_s": None,
        }
    )
    others = completed(
        {
            "energy_j": energy_j,
            "energy_uncertainty_j": prefill.decode_uncertainty_j,
            "duration_s": duration_s,
            "requests": whole["requests"],
            "input_tokens": 0,
            "output_tokens": whole["output_tokens"] - whole["requests"],
            "ttft_s": None,
            "itl_s": whole["itl_s"],
        }
    )
    return Split(
        Phase(**first, method=told.method, reason=told.prefill),
        Phase(**others, method=told.method, reason=told.decode),
    )


def unresolved(reason: str) -> Split:
    """Two phases of which nothing is known."""
    phase = unresolved_phase(reason)
    return Split(phase, phase)


def unresolved_phase(reason: str) -> Phase:
    """A phase of which nothing is known; *reason* is a sentence."""
    return Phase(**UNKNOWN, method="unresolved", reason=reason)


def parts_of(whole: float, first: float) -> tuple[float, float]:
    """*first* and the rest of *whole*, rounded so that they add up to it exactly.

    A difference of two numbers within a factor of two is exact (Sterbenz 1974,
    Floating-Point Computation, theorem 4.3.1), and the whole is within that of its larger part.
    """
    rest = whole - first
    return whole - rest, rest


def _noted(phase: Phase, sentence: str) -> Phase:
    return phase.model_copy(update={"reason": f"{phase.reason} {sentence}"})
