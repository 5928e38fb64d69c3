"""Prefill and decode, told apart where that is honest.

Prefill is measured on its own, by passes that generate a single token a request.
Decode is the difference: whole less prefill, with both variances. Prefill counts
the first token of every request as its output, decode the others, so that tokens,
energies and durations of the two add up to the whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import UNKNOWN, completed, figures_of
from pytest_llem.energy.measured import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.measured import WindowSample


def phases_of(
    kind: str, whole: Mapping[str, Any], samples: Sequence[WindowSample]
) -> tuple[Phase, Phase]:
    """Prefill and decode of a measurement whose whole has the figures *whole*."""
    if kind != "workload":
        reason = "not the workload of a model: what is prefill in it is not known"
        return unresolved(reason), unresolved(reason)
    if whole["energy_j"] is None:
        reason = "the whole could not be measured"
        return unresolved(reason), unresolved(reason)
    if whole["output_tokens"] == whole["requests"]:
        prefill = _phase(dict(whole), "measured", "one output token a request: all is prefill")
        return prefill, unresolved("one output token a request leaves nothing to decode")
    windows = [sample for sample in samples if sample.phase == "prefill"]
    if not windows:
        reason = "no prefill-only windows were asked for (measurement.prefill_windows=0)"
        return unresolved(reason), unresolved(reason)
    prefill_figures = figures_of(windows)
    if prefill_figures["energy_j"] is None:
        said = "; ".join(dict.fromkeys(text for one in windows for text in one.warnings))
        reason = f"no prefill-only window is valid: {said}"
        return unresolved(reason), unresolved(reason)
    return _split(whole, prefill_figures, len(windows))


def unresolved(reason: str) -> Phase:
    """A phase of which nothing is known."""
    return Phase(**UNKNOWN, method="unresolved", reason=reason)


def _split(whole: Mapping[str, Any], prefill: dict[str, Any], windows: int) -> tuple[Phase, Phase]:
    how = f"{windows} prefill-only windows"
    decode = _difference(whole, prefill)
    if decode["energy_j"] <= 0 or decode["duration_s"] <= 0:
        seen = (
            f"prefill-only passes took {prefill['energy_j']:.4g} J and "
            f"{prefill['duration_s']:.4g} s, whole ones {whole['energy_j']:.4g} J and "
            f"{whole['duration_s']:.4g} s: the difference is lost in the noise"
        )
        return unresolved(seen), unresolved(seen)
    return (
        _phase(prefill, "measured", f"mean over {how}"),
        _phase(decode, "measured", f"whole less prefill, by {how}"),
    )


def _difference(whole: Mapping[str, Any], prefill: Mapping[str, Any]) -> dict[str, Any]:
    stated = (whole["energy_uncertainty_j"], prefill["energy_uncertainty_j"])
    return completed(
        {
            "energy_j": whole["energy_j"] - prefill["energy_j"],
            "energy_uncertainty_j": None if None in stated else math.hypot(*stated),
            "duration_s": whole["duration_s"] - prefill["duration_s"],
            "requests": whole["requests"],
            "input_tokens": 0,
            "output_tokens": whole["output_tokens"] - prefill["output_tokens"],
            "ttft_s": None,
            "itl_s": whole["itl_s"],
        }
    )


def _phase(figures: dict[str, Any], method: str, reason: str) -> Phase:
    return Phase.model_validate({**figures, "method": method, "reason": reason})
