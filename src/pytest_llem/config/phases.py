"""Which windows are run to tell prefill and decode apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.config.measurement import LEAST_LENGTHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.config.measurement import MeasurementConfig

MOST_LENGTHS = 5
"""Output lengths that are measured of requests with more; each takes windows of its own."""


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """Windows that are run besides those over the whole."""

    prefill_windows: int = 0
    """With one output token a request."""
    output_tokens: tuple[int, ...] = ()
    """Further output lengths, in rising order."""
    length_windows: int = 0
    """At each of them."""


def phase_plan(settings: MeasurementConfig, output_tokens: Sequence[int]) -> PhasePlan:
    """The windows that *settings* ask for where requests have these output lengths.

    Windows over the whole already are windows at a length that all requests share, and
    prefill-only windows are those at a length of one: neither is run twice.
    """
    own = sorted(set(output_tokens))
    if own == [1]:
        return PhasePlan()
    with_prefill = settings.phases in {"auto", "measured"}
    prefill_windows = settings.prefill_windows if with_prefill else 0
    known = {1} if prefill_windows else set()
    if len(own) == 1:
        known.update(own)
    lengths = tuple(sorted(set(_lengths(settings, own)) - known))
    return PhasePlan(prefill_windows, lengths, settings.phase_windows if lengths else 0)


def described(plan: PhasePlan) -> str:
    """The plan in words; empty if nothing is run besides the whole."""
    parts = []
    if plan.prefill_windows:
        parts.append(f"{_windows(plan.prefill_windows)} of prefill only")
    if plan.output_tokens:
        lengths = ", ".join(map(str, plan.output_tokens))
        parts.append(f"{_windows(plan.length_windows)} at each of {lengths} output tokens")
    return " and ".join(parts)


def _windows(count: int) -> str:
    return "1 window" if count == 1 else f"{count} windows"


def _lengths(settings: MeasurementConfig, own: Sequence[int]) -> Sequence[int]:
    if settings.phases not in {"auto", "regressed"}:
        return ()
    if settings.phase_output_tokens:
        return settings.phase_output_tokens
    if len(own) >= LEAST_LENGTHS:
        return _spread(own)
    return _around(own[-1]) if settings.phases == "regressed" else ()


def _spread(own: Sequence[int]) -> Sequence[int]:
    """At most :data:`MOST_LENGTHS` of these lengths, the shortest and the longest among them."""
    if len(own) <= MOST_LENGTHS:
        return own
    last = len(own) - 1
    return tuple(own[round(last * step / (MOST_LENGTHS - 1))] for step in range(MOST_LENGTHS))


def _around(longest: int) -> tuple[int, ...]:
    """A quarter, half and three quarters of a length; multiples of one too short for that."""
    quarters = sorted({longest * part // 4 for part in (1, 2, 3)} - {0})
    if len(quarters) == LEAST_LENGTHS:
        return tuple(quarters)
    return tuple(longest * times for times in (2, 3, 4))
