"""Runs on disk whose figures are chosen, so that pytest can judge them without measuring."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_llem.energy.measured import Measured

NOISE = 0.002
"""Standard deviation of the logarithm of what a process, and a window in it, takes."""
IDENTITY = ("experiment_id", "config_hash", "group", "label", "own_arguments", "node_id", "config")
"""Fields of a result that tell experiments apart."""


def run_like(
    template: RunStore, root: Path, processes: int, seed: int, factors: Mapping[str, float]
) -> Path:
    """A finished run below *root* with the experiments of *template*, several processes each.

    One experiment of *template* has to have measured something. Here all have, and everything
    takes a second, times the factor of its label, times noise.
    """
    manifest, results = template.manifest(), list(template.results())
    (like,) = (result for result in results if result.measurements)
    store = RunStore.create(
        root,
        command=manifest.command,
        environment=template.environment(),
        planned=manifest.planned,
        repeats=processes,
        settings=manifest.settings,
        sources=manifest.sources,
    )
    noise = random.Random(seed)  # noqa: S311 - a simulation
    for result in results:
        for repeat in range(processes):
            took_s = factors.get(result.label, 1.0) * math.exp(noise.gauss(0, NOISE))
            own = {name: getattr(result, name) for name in IDENTITY}
            own |= {"run_id": store.run_id, "repeat": repeat}
            own["measurements"] = (_taking(like.measurements[0], took_s, noise),)
            store.write_result(like.model_copy(update=own), None)
    return store.path


def _taking(measured: Measured, took_s: float, noise: random.Random) -> Measured:
    windows = tuple(
        window.model_copy(
            update={
                "duration_s": window.passes * took_s * math.exp(noise.gauss(0, NOISE)),
                "valid": True,  # however busy this machine was
            }
        )
        for window in measured.windows
    )
    return measured.model_copy(update={"windows": windows, "duration_s": took_s, "valid": True})
