"""How long an experiment's process takes, from how long one pass of its work does.

``start + weights / 1 GB/s + warm-up + idle + windows``: each window goes on for whole passes until
``measurement.window_s`` is over. Starting and reading weights are assumptions
(:data:`START_S`, :data:`READ_BYTES_PER_S`); the warm-up is taken to need the least that it may,
or three passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from pytest_llem.config.phases import phase_plan

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig

START_S = {"transformers": 8.0, "vllm": 60.0, "tensorrt_llm": 60.0, "openai": 2.0}
"""Assumed, by engine: from the start of the process to a model that can be asked, its weights
aside."""
OTHER_START_S = 10.0
READ_BYTES_PER_S = 1e9
"""Assumed of reading weights."""
WARM_UP_PASSES = 3
LEAST_SHARE = 1e-6
"""Of a window: shorter passes fill it evenly."""


@dataclass(frozen=True, slots=True)
class Passes:
    """How long one pass of the work takes, in seconds."""

    whole_s: float
    prefill_s: float | None = None
    """Of its prompts alone; ``None`` is unknown, and taken to be the whole."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Parts of a process's time, in seconds."""

    start_s: float
    idle_s: float
    """With the model loaded and nothing to do."""
    active_s: float
    """Warm-up and windows."""

    @property
    def wall_s(self) -> float:
        return self.start_s + self.idle_s + self.active_s


def schedule_of(
    config: ExperimentConfig, passes: Passes, weights_bytes: float | None = None
) -> Schedule:
    """When what is done; *weights_bytes* ``None`` is unknown, and left out."""
    settings = config.measurement
    plan = phase_plan(settings, [config.output_tokens])
    prefill_s = passes.whole_s if passes.prefill_s is None else passes.prefill_s
    decode_s = (passes.whole_s - prefill_s) / config.output_tokens

    def window(pass_s: float) -> float:
        if pass_s < settings.window_s * LEAST_SHARE:
            return settings.window_s
        return ceil(settings.window_s / pass_s) * pass_s

    warm_up = min(
        max(settings.warmup_min_s, WARM_UP_PASSES * passes.whole_s),
        max(settings.warmup_max_s, passes.whole_s),
    )
    lengths = sum(window(prefill_s + decode_s * length) for length in plan.output_tokens)
    active = warm_up + settings.windows * window(passes.whole_s)
    active += plan.prefill_windows * window(prefill_s) + plan.length_windows * lengths
    start = START_S.get(config.backend, OTHER_START_S)
    return Schedule(start + (weights_bytes or 0) / READ_BYTES_PER_S, settings.idle_s, active)
