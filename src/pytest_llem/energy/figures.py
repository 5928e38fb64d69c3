"""Figures of one pass of the workload, from the samples of windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.measured import Figures, ratio
from pytest_llem.energy.student import mean_and_half_width_95

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import WindowSample

UNKNOWN: dict[str, Any] = dict.fromkeys(Figures.model_fields)
"""Figures of which nothing is known."""
WORK = ("requests", "input_tokens", "output_tokens")

LONE_WINDOW = (
    "only one window over the whole is valid: its interval is the instrument's alone, and nothing "
    "tells how windows scatter. Measure several (measurement.windows)"
)
"""Said of figures whose interval cannot have it; of several processes theirs has."""


def counted(samples: Sequence[WindowSample]) -> list[WindowSample]:
    """Those that figures are of: valid, with an energy, and with something done in some time."""
    return [
        sample
        for sample in samples
        if sample.valid and sample.energy_j is not None and sample.passes and sample.duration_s > 0
    ]


def figures_of(samples: Sequence[WindowSample]) -> dict[str, Any]:
    """The fields of :class:`~pytest_llem.energy.measured.Figures` over valid windows.

    Each window counts the same: its energy and duration over its passes. The
    uncertainty is the t interval of that mean, or the instrument's own where that
    is larger, as it is for a single window.
    """
    valid = counted(samples)
    if not valid:
        return UNKNOWN
    energies = [sample.energy_j / sample.passes for sample in valid if sample.energy_j is not None]
    energy_j, spread_j = mean_and_half_width_95(energies)
    uncertainty_j = larger(spread_j, _instrument_j(valid))
    duration_s = math.fsum(sample.duration_s / sample.passes for sample in valid) / len(valid)
    return completed(
        {
            "energy_j": energy_j,
            "energy_uncertainty_j": uncertainty_j,
            "duration_s": duration_s,
            "ttft_s": _mean([sample.ttft_s for sample in valid]),
            "itl_s": _mean([sample.itl_s for sample in valid]),
            **{name: _per_pass(valid, name) for name in WORK},
        }
    )


def larger(one: float | None, other: float | None) -> float | None:
    """The larger of the two that are known."""
    return max((value for value in (one, other) if value is not None), default=None)


def completed(known: dict[str, Any]) -> dict[str, Any]:
    """*known* with what follows from it: power, rates, and energies per piece of work."""
    energy_j, tokens = known["energy_j"], known["output_tokens"]
    return {
        **known,
        "power_w": ratio(energy_j, known["duration_s"]),
        "energy_per_output_token_j": ratio(energy_j, tokens),
        "energy_per_output_token_uncertainty_j": ratio(known["energy_uncertainty_j"], tokens),
        "energy_per_request_j": ratio(energy_j, known["requests"]),
        "output_tokens_per_s": ratio(tokens, known["duration_s"]),
    }


def _per_pass(samples: Sequence[WindowSample], name: str) -> int | None:
    totals: list[int | None] = [getattr(sample, name) for sample in samples]
    known = [total for total in totals if total is not None]
    if len(known) < len(totals):
        return None
    return round(sum(known) / sum(sample.passes for sample in samples))


def _instrument_j(samples: Sequence[WindowSample]) -> float | None:
    """Half-width of the mean by what the instrument states of each window."""
    stated = [
        (sample.energy_uncertainty_j / sample.passes) ** 2
        for sample in samples
        if sample.energy_uncertainty_j is not None
    ]
    return math.sqrt(math.fsum(stated)) / len(samples) if len(stated) == len(samples) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None
