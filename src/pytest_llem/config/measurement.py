"""How an experiment is measured: windows, warm-up, limits."""

from __future__ import annotations

from pydantic import Field

from pytest_llem.config.model import Model


class MeasurementConfig(Model):
    """How often and how long to measure; no part of an experiment's identity."""

    windows: int = Field(default=5, ge=1, le=1000)
    """Windows over the whole workload."""
    window_s: float = Field(default=1.0, gt=0, le=3600)
    """Least duration of a window, in seconds; the workload is repeated to fill it."""
    prefill_windows: int = Field(default=3, ge=0, le=1000)
    """Prefill-only windows for the phase split; 0 leaves the phases unresolved."""
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
