"""How long sequences get."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_llem.config.experiment import ExperimentConfig


def longest_context(config: ExperimentConfig) -> int | None:
    """Tokens of the longest sequence, or ``None`` where only the workload knows."""
    workload = config.workload
    if workload.source != "synthetic" or workload.lengths != "fixed":
        return None
    prompt = max(workload.input_lengths or (config.input_tokens,))
    output = max(workload.output_lengths or (config.output_tokens,))
    later = workload.turn_tokens or prompt
    return prompt + output + (workload.turns - 1) * (output + later)
