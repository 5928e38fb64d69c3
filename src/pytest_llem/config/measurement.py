"""How an experiment is measured: windows, warm-up, limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pytest_llem.config.model import Model

PhaseChoice = Literal["auto", "measured", "regressed", "sliced", "none"]
LEAST_LENGTHS = 3
"""Fewer output lengths show neither a slope's error nor a curve."""


class MeasurementConfig(Model):
    """How often and how long to measure; no part of an experiment's identity."""

    windows: int = Field(default=5, ge=1, le=1000)
    """Windows over the whole workload."""
    window_s: float = Field(default=1.0, gt=0, le=3600)
    """Least duration of a window, in seconds; the workload is repeated to fill it."""
    prefill_windows: int = Field(default=3, ge=0, le=1000)
    """Prefill-only windows for the phase split; 0 runs none."""
    phases: PhaseChoice = "auto"
    """How prefill and decode are told apart: ``measured`` by prefill-only windows,
    ``regressed`` by windows at several output lengths, ``sliced`` by cutting the windows over
    the whole, or not at all. ``auto`` takes the lengths if ``phase_output_tokens`` or the
    requests themselves have three or more, else prefill-only windows, else slices."""
    phase_output_tokens: tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...] | None = None
    """Output lengths of the windows for ``regressed``, at least three different ones; ``None``
    takes those of the requests, or, where ``regressed`` is asked for, a quarter, half and
    three quarters of theirs."""
    phase_windows: int = Field(default=4, ge=1, le=1000)
    """Windows at each of those lengths; an even number cancels a slow drift of power."""
    repeat_windows: int = Field(default=3, ge=0, le=1000)
    """Further windows, of either kind, in place of invalid ones; 0 repeats none."""
    idle_s: float = Field(default=1.0, ge=0, le=3600)
    """How long to look at what the devices draw with the model loaded and nothing to do, in
    seconds; shorter where an earlier experiment of the run knows it; 0 does not look."""
    warmup_min_s: float = Field(default=0.5, ge=0, le=3600)
    """Least duration of the warm-up, in seconds."""
    warmup_max_s: float = Field(default=30.0, gt=0, le=86_400)
    """Limit of the warm-up, in seconds; if passes, power, temperature or throttling have
    not settled by then, the result says that it did not converge, and why."""

    @field_validator("phase_output_tokens")
    @classmethod
    def _three_lengths(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and len(set(value)) < LEAST_LENGTHS:
            raise ValueError(f"must have at least {LEAST_LENGTHS} different lengths.")
        return value
