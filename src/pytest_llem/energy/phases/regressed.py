"""Prefill and decode from how energy grows with the number of tokens that are decoded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_llem.energy.estimator.window import NORMAL_95
from pytest_llem.energy.figures import counted
from pytest_llem.energy.phases.drift import drift_of
from pytest_llem.energy.phases.fisher import f_tail
from pytest_llem.energy.phases.length_curve import Curve, Observation, curve_through
from pytest_llem.energy.phases.split import Prefill, Split, Told, split, unresolved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.energy.measured import WindowSample
    from pytest_llem.energy.phases.drift import Drift

LEAST_LENGTHS = 3
"""Output lengths that a curve of three terms needs."""
UNLIKELY = 0.01
"""Windows that miss the curve as badly as this share of good ones do say that it is none."""
LEAST_SHARE = 1e-6
"""Of its energy that a window's own standard deviation is at least taken to be."""
UNTESTED = (
    "That it is a curve of three terms was not tested: that takes windows at four lengths, and "
    "several at one of them."
)


def regressed_split(whole: Mapping[str, Any], samples: Sequence[WindowSample]) -> Split:
    """Prefill as the energy of a pass that decodes nothing, decode as the whole less that.

    The energy of a pass over the tokens it decodes is a parabola through all windows that
    have one output length: ``prefill + a tokens + b tokens²``. A straight line would do if
    every token cost the same; but each reads a cache that has grown by one token since the
    last, so energy grows by the square, and a line through curved data has a wrong intercept.
    Where there are four or more lengths the parabola is tested as well (F test of lack of fit
    against windows of equal length; Draper and Smith, Applied Regression Analysis, 1998,
    chapter 2), and phases stay unresolved if it does not fit.

    Three lengths fit any such curve: it is then said that it was not tested.

    Durations are split by the same weights. The interval of prefill has the scatter of windows
    about the curve, what the instrument states of each, and what three terms cost in
    extrapolation. That of decode is for the whole less prefill: windows over the whole count in
    both, with their share in either. Where these drift significantly, all windows are carried
    along that drift to the middle of the whole, and what it leaves open is added.

    Args:
        whole: figures of the whole.
        samples: windows of any phase; those that are invalid, and those whose requests differ
            in length, are left out.
    """
    valid = counted(samples)
    drift = drift_of([sample for sample in valid if sample.phase == "whole"])
    if drift is not None and (reason := drift.beyond(valid)):
        return unresolved(reason)
    points = _points(valid, drift)
    lengths = sorted({point.length for point in points})
    decoded = {point.observation.x for point in points}
    if min(len(lengths), len(decoded), len(points) - 1) < LEAST_LENGTHS:
        known = ", ".join(map(str, lengths)) or "none"
        return unresolved(
            f"A curve needs valid windows at {LEAST_LENGTHS} output lengths, and more windows than "
            f"lengths; there are {len(points)} windows, at lengths: {known}."
            + " Requests ended before theirs."
            * (len(decoded) < LEAST_LENGTHS <= len(lengths))
        )
    curve = _curve(points)
    misfit = curve.misfit()
    if misfit is not None and drift is not None:  # a drift of another rate would be no misfit
        bounds = [one for one in drift.bounds if not one.beyond(valid)]
        misfit = min([misfit, *(_curve(_points(valid, one)).misfit() or misfit for one in bounds)])
    if misfit is not None and f_tail(*misfit) < UNLIKELY:
        return unresolved(
            f"Energy over tokens is no curve of three terms: windows at output lengths "
            f"{', '.join(map(str, lengths))} miss it by more than they scatter "
            f"(F = {misfit[0]:.3g}, chance {f_tail(*misfit):.1g})."
        )
    return _split(whole, points, curve, drift)


class Point(NamedTuple):
    """One window, for one pass in the mean."""

    length: int
    is_whole: bool
    duration_s: float
    observation: Observation
    sample: WindowSample


def _curve(points: Sequence[Point]) -> Curve:
    return curve_through([point.observation for point in points])


def _points(samples: Sequence[WindowSample], drift: Drift | None) -> list[Point]:
    return [point for one in samples if (point := _point(one, drift)) is not None]


def _point(seen: WindowSample, drift: Drift | None) -> Point | None:
    sample = seen if drift is None else drift.carried(seen)
    requests, tokens, length = sample.requests, sample.output_tokens, sample.output_length
    whole_j, passes = sample.energy_j or 0.0, sample.passes
    if requests is None or tokens is None or length is None or whole_j <= 0:
        return None
    energy_j, duration_s = whole_j / passes, sample.duration_s / passes
    stated_j = (sample.energy_uncertainty_j or 0.0) / NORMAL_95 / passes
    return Point(
        length=length,
        is_whole=sample.phase == "whole",
        duration_s=duration_s,
        observation=Observation(
            group=length,
            x=(tokens - requests) / passes,
            y=energy_j,
            deviation=max(stated_j, LEAST_SHARE * abs(energy_j)),
            unit=duration_s,
        ),
        sample=seen,
    )


def _split(
    whole: Mapping[str, Any], points: Sequence[Point], curve: Curve, drift: Drift | None
) -> Split:
    shares = curve.shares_at_zero
    own = sum(point.is_whole for point in points)
    rest = [
        point.is_whole / own - share if own else -share
        for point, share in zip(points, shares, strict=True)
    ]
    decode_half_j = math.hypot(curve.half_width(rest), _open_j(points, rest, drift))
    if not own and whole["energy_uncertainty_j"] is not None:  # independent of the curve
        decode_half_j = math.hypot(decode_half_j, whole["energy_uncertainty_j"])
    prefill = Prefill(
        energy_j=curve.at_zero,
        energy_uncertainty_j=math.hypot(curve.half_width(shares), _open_j(points, shares, drift)),
        duration_s=math.fsum(s * p.duration_s for s, p in zip(shares, points, strict=True)),
        decode_uncertainty_j=decode_half_j,
        ttft_s=whole["ttft_s"],
    )
    lengths = ", ".join(map(str, sorted({point.length for point in points})))
    how = f"a curve through {len(points)} windows at output lengths {lengths}"
    notes = f" {UNTESTED}" * (curve.misfit() is None)
    notes += "" if drift is None else f" {drift.told}"
    told = Told(
        "regressed",
        f"Where {how} begins, at no decoded token.{notes}",
        f"The whole less where {how} begins. {_growth(whole, curve)}",
    )
    return split(whole, prefill, told)


def _open_j(points: Sequence[Point], shares: Sequence[float], drift: Drift | None) -> float:
    """What a drift leaves open of a sum over the points with these shares, in joules."""
    if drift is None:
        return 0.0
    energies_j = [share * one.observation.y for share, one in zip(shares, points, strict=True)]
    return drift.half_width_j(energies_j, [one.sample for one in points])


def _growth(whole: Mapping[str, Any], curve: Curve) -> str:
    """What further tokens cost, in words."""
    tokens = whole["output_tokens"] - whole["requests"]
    first_j, last_j = curve.slope(0), curve.slope(tokens)
    if not curve.bends:
        return "No change of energy per decoded token with length was seen."
    return (
        f"Energy per decoded token goes from {first_j:.4g} J for the first to {last_j:.4g} J for "
        "the last."
    )
