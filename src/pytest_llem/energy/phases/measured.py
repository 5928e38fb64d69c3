"""Prefill measured on its own, by passes that generate a single token a request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import figures_of
from pytest_llem.energy.phases.split import Prefill, Split, Told, split, unresolved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.measured import WindowSample


def measured_split(whole: Mapping[str, Any], samples: Sequence[WindowSample]) -> Split:
    """Prefill as the mean over prefill-only windows, decode as the whole less prefill.

    Windows of the two are independent, so the uncertainty of decode is that of both,
    squared and added.
    """
    windows = [sample for sample in samples if sample.phase == "prefill"]
    if not windows:
        return unresolved("There are no prefill-only windows (measurement.prefill_windows=0).")
    figures = figures_of(windows)
    if figures["energy_j"] is None:
        said = "; ".join(dict.fromkeys(text for one in windows for text in one.warnings))
        return unresolved(f"No prefill-only window is valid: {said}.")
    stated = (whole["energy_uncertainty_j"], figures["energy_uncertainty_j"])
    prefill = Prefill(
        energy_j=figures["energy_j"],
        energy_uncertainty_j=figures["energy_uncertainty_j"],
        duration_s=figures["duration_s"],
        decode_uncertainty_j=None if None in stated else math.hypot(*stated),
        ttft_s=figures["ttft_s"],
    )
    valid, count = sum(sample.valid for sample in windows), len(windows)
    counted = f"{valid} of {count}" if valid < count else f"{count}"
    how = f"{counted} prefill-only window{'s' if count > 1 else ''}"
    told = Told("measured", f"Mean over {how}.", f"The whole less the mean over {how}.")
    return split(whole, prefill, told)
