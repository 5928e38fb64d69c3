"""Prefill measured on its own, by passes that generate a single token a request."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from pytest_llem.energy.figures import both, counted, figures_of
from pytest_llem.energy.phases.drift import drift_of
from pytest_llem.energy.phases.split import Prefill, Split, Told, split, unresolved
from pytest_llem.energy.student import student_95

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.phases.drift import Drift
    from pytest_llem.energy.sampling.trace import Trace

LIKE = 0.01
"""Prompts of a pass may differ by so much in their tokens, relative, and be the same work."""


def measured_split(
    whole: Mapping[str, Any], samples: Sequence[WindowSample], traces: Sequence[Trace] = ()
) -> Split:
    """Prefill as the mean over prefill-only windows, decode as the whole less prefill.

    Windows of the two are independent, so the uncertainty of decode is that of both, squared
    and added. Of a kind that has one window only, the interval is that of the scatter of the
    other kind, in proportion to energy, where that is wider than what the instrument states:
    windows last alike, so that what makes power waver moves them by the same share.

    Prefill-only windows come after the others. Where these drift significantly, they are carried
    along that drift to the middle of the whole, and what it leaves open is added.

    Args:
        whole: figures of the whole.
        samples: windows of any phase; those that are invalid are left out.
        traces: of the devices that are summed; without any, windows are taken to err alike.
    """
    windows = [sample for sample in samples if sample.phase == "prefill"]
    if not windows:
        return unresolved("There are no prefill-only windows (measurement.prefill_windows=0).")
    valid = counted(windows)
    if not valid:
        said = "; ".join(dict.fromkeys(text for one in windows for text in one.warnings))
        return unresolved(f"No prefill-only window is valid: {said or 'none has an energy'}.")
    if reason := _other_work(whole, figures_of(valid)):
        return unresolved(reason)
    wholes = counted([sample for sample in samples if sample.phase == "whole"])
    drift = drift_of(wholes)
    if drift is not None and (reason := drift.beyond(valid)):
        return unresolved(reason)
    carried = valid if drift is None else [drift.carried(one) for one in valid]
    figures = figures_of(carried, [traces], read=valid)
    if reason := _no_part(whole, figures):
        return unresolved(reason)
    borrowed_j = _borrowed_j(carried, wholes)
    stated_j = (
        both(figures["energy_uncertainty_j"], borrowed_j),
        both(whole["energy_uncertainty_j"], _borrowed_j(wholes, carried)),
    )
    shares_j = [energy_j / len(valid) for energy_j in _energies_j(carried)]
    drifted_j = 0.0 if drift is None else drift.half_width_j(shares_j, valid)
    told = _told(windows, valid, drift, borrowed=borrowed_j is not None)
    return _split(whole, figures, stated_j, drifted_j, told)


def _split(
    whole: Mapping[str, Any],
    figures: Mapping[str, Any],
    stated_j: tuple[float | None, float | None],
    drifted_j: float,
    told: Told,
) -> Split:
    prefill_j, whole_j = stated_j
    if prefill_j is not None:
        prefill_j = math.hypot(prefill_j, drifted_j)
    unknown = prefill_j is None or whole_j is None
    prefill = Prefill(
        energy_j=figures["energy_j"],
        energy_uncertainty_j=prefill_j,
        duration_s=figures["duration_s"],
        decode_uncertainty_j=None if unknown else math.hypot(prefill_j or 0.0, whole_j or 0.0),
        ttft_s=figures["ttft_s"],
    )
    return split(whole, prefill, told)


def _other_work(whole: Mapping[str, Any], prefill: Mapping[str, Any]) -> str:
    """Why prefill-only passes are no prefill of the whole, as far as their work tells."""
    asked, served = whole["requests"], prefill["requests"]
    if served is not None and served != asked:
        return f"Prefill-only passes served {served} requests each, whole ones {asked}."
    tokens = prefill["output_tokens"]
    if tokens is not None and tokens != asked:
        return (
            f"Prefill-only passes generated {tokens} tokens for {asked} requests, and not one for "
            "each: the engine does not keep to the output length."
        )
    inputs = whole["input_tokens"], prefill["input_tokens"]
    if None not in inputs and abs(inputs[1] - inputs[0]) > LIKE * inputs[0]:
        return f"Prefill-only passes read {inputs[1]} input tokens each, whole ones {inputs[0]}."
    return ""


def _no_part(whole: Mapping[str, Any], prefill: Mapping[str, Any]) -> str:
    """Why what prefill-only passes came to is no part of the whole, where noise is no reason."""
    halves_j = (one["energy_uncertainty_j"] or 0.0 for one in (whole, prefill))
    if prefill["energy_j"] - whole["energy_j"] <= math.hypot(*halves_j):
        return ""
    return (
        f"Prefill-only passes came to {prefill['energy_j']:.4g} J and {prefill['duration_s']:.4g} s "
        f"each, whole ones to {whole['energy_j']:.4g} J and {whole['duration_s']:.4g} s: they did "
        "more than a part of the whole, so one of the two was disturbed."
    )


def _borrowed_j(few: Sequence[WindowSample], others: Sequence[WindowSample]) -> float | None:
    """Half-width of a single window by the scatter of others; ``None`` where it is not needed."""
    if len(few) != 1 or len(others) < 2:  # noqa: PLR2004 - one window shows no scatter
        return None
    energies_j = _energies_j(others)
    share = stdev(energies_j) / fmean(energies_j)
    return student_95(len(others) - 1) * share * _energies_j(few)[0]


def _energies_j(samples: Sequence[WindowSample]) -> list[float]:
    """Of a pass in each window."""
    return [(sample.energy_j or 0.0) / sample.passes for sample in samples]


def _told(
    windows: Sequence[WindowSample],
    valid: Sequence[WindowSample],
    drift: Drift | None,
    *,
    borrowed: bool,
) -> Told:
    many = f"{len(valid)} of {len(windows)}" if len(valid) < len(windows) else f"{len(valid)}"
    how = f"{many} prefill-only window{'s' if len(windows) > 1 else ''}"
    notes = " One window shows no scatter: its interval has that of the whole." * borrowed
    if drift is not None:
        notes += f" {drift.told}"
    return Told(
        "measured", f"Mean over {how}.{notes}", f"The whole less the mean over {how}.{notes}"
    )
