"""Figures of one pass of the workload, from the samples of windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pytest_llem.energy.known import known_mean
from pytest_llem.energy.measured import Figures, ratio
from pytest_llem.energy.spans import instrument_j
from pytest_llem.energy.student import ratio_and_half_width_95, ratio_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.sampling.trace import Trace

UNKNOWN: dict[str, Any] = dict.fromkeys(Figures.model_fields)
"""Figures of which nothing is known."""
Work = Literal["passes", "requests", "output_tokens"]
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


def figures_of(
    samples: Sequence[WindowSample],
    groups: Sequence[Sequence[Trace]] = (),
    *,
    read: Sequence[WindowSample] | None = None,
) -> dict[str, Any]:
    """The fields of :class:`~pytest_llem.energy.measured.Figures` over valid windows.

    Each is a ratio of sums over all windows: what they used, to their passes, their tokens, their
    time. Where passes are not the same work, as of traffic whose lengths are drawn, a mean
    of the windows' own ratios would count most what was in windows of few passes. The
    uncertainty is the t interval of that ratio, by how windows miss it, and the instrument's,
    squared and added; of a single window the instrument's alone.

    Args:
        samples: windows, of which those that do not count are left out.
        groups: traces whose energies were added, as :func:`instrument_j` has them.
        read: the same windows as they were read, where *samples* were carried elsewhere.
    """
    valid = counted(samples)
    if not valid:
        return UNKNOWN
    own_j = instrument_j(counted(samples if read is None else read), groups)
    energy_j, uncertainty_j = _energy_per(valid, "passes", own_j)
    known = {
        "energy_j": energy_j,
        "energy_uncertainty_j": uncertainty_j,
        "duration_s": math.fsum(s.duration_s for s in valid) / sum(s.passes for s in valid),
        "ttft_s": known_mean([sample.ttft_s for sample in valid]),
        "itl_s": known_mean([sample.itl_s for sample in valid]),
        **{name: _per_pass(valid, name) for name in WORK},
    }
    return {**completed(known), **_per_work(valid, own_j)}


def terms_of(samples: Sequence[WindowSample], work: Work) -> list[float]:
    """Energies per piece of *work* by windows that count, whose mean is that of all of them.

    Empty where none was done or it is not known how much.
    """
    return ratio_terms(*_energies_and(samples, work)) if _total(samples, work) else []


def _per_work(valid: Sequence[WindowSample], own_j: float | None) -> dict[str, float | None]:
    """Figures per token and request, whose number in a pass need not be a whole one."""
    found: dict[str, float | None] = {}
    if _total(valid, "requests"):
        found["energy_per_request_j"], _ = _energy_per(valid, "requests", own_j)
    if total := _total(valid, "output_tokens"):
        per_token_j, uncertainty_j = _energy_per(valid, "output_tokens", own_j)
        found["energy_per_output_token_j"] = per_token_j
        found["energy_per_output_token_uncertainty_j"] = uncertainty_j
        found["output_tokens_per_s"] = total / math.fsum(sample.duration_s for sample in valid)
    return found


def _energy_per(
    valid: Sequence[WindowSample], work: Work, own_j: float | None
) -> tuple[float, float | None]:
    """Energy of a piece of *work*, and the half-width of its 95 % interval."""
    energies_j, amounts = _energies_and(valid, work)
    energy_j, spread_j = ratio_and_half_width_95(energies_j, amounts)
    return energy_j, both(spread_j, ratio(own_j, math.fsum(amounts)))


def _energies_and(samples: Sequence[WindowSample], work: Work) -> tuple[list[float], list[int]]:
    energies_j = [sample.energy_j for sample in samples if sample.energy_j is not None]
    return energies_j, [getattr(sample, work) or 0 for sample in samples]


def both(one: float | None, other: float | None) -> float | None:
    """Half-width of what errs in two ways, as far as they are known."""
    known = [value for value in (one, other) if value is not None]
    return math.hypot(*known) if known else None


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
    total = _total(samples, name)
    return None if total is None else round(total / sum(sample.passes for sample in samples))


def _total(samples: Sequence[WindowSample], name: str) -> int | None:
    totals: list[int | None] = [getattr(sample, name) for sample in samples]
    known = [total for total in totals if total is not None]
    return sum(known) if len(known) == len(totals) else None
