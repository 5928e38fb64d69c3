"""Checks that go the whole way: a child loads a model, this process watches, figures come back."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from statistics import fmean
from typing import TYPE_CHECKING, Any

from gpu.findings import BROKEN, CannotRunError, Finding, variation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.results.schema import ExperimentResult

REPEATS = "A/A repeats"
LADDER = "models"


class OutOfTimeError(Exception):
    """The time for this check is used up; what was measured before stays."""


@dataclass(slots=True)
class Runner:
    """Runs experiments as users do, and keeps them under one folder."""

    runs: Path
    meter: str = "nvml"
    timeout_s: float = 120.0
    latest: Path | None = None
    """The run that was made last."""

    def run(
        self, configs: Sequence[ExperimentConfig], repeats: int, until_s: float
    ) -> list[ExperimentResult]:
        """Every result there was time for; ``time.monotonic`` is looked at between experiments.

        Raises:
            CannotRunError: an engine's packages are missing.
        """
        from pytest_llem.config.study import StudyConfig
        from pytest_llem.runs.library import default_settings, run_study

        for package in ("torch", "transformers"):
            if find_spec(package) is None:
                raise CannotRunError(f"{package} is not installed here")
        results: list[ExperimentResult] = []

        def on_result(result: ExperimentResult) -> None:
            results.append(result)
            took_s = (time.monotonic() - began_s) / len(results)
            if time.monotonic() + took_s > until_s:
                raise OutOfTimeError

        settings = replace(
            default_settings(self.runs), meter=self.meter, timeout_s=self.timeout_s, run_id=None
        )
        study = StudyConfig(name="gpu-check", experiments=tuple(configs), repeats=repeats)
        began_s = time.monotonic()
        with suppress(OutOfTimeError):
            run_study(study, settings=settings, on_result=on_result)
        self.latest = max(
            (self.runs / ".llem" / "runs").iterdir(), key=lambda run: run.stat().st_mtime
        )
        return results


def repeats(runner: Runner, config: ExperimentConfig, count: int, until_s: float) -> Finding:
    """The same experiment in fresh processes: how much its figure varies by itself.

    Raises:
        CannotRunError: fewer than three came through.
    """
    results = runner.run([config], count, until_s)
    told = [_figures(result) for result in results]
    known = [one["energy_per_output_token_j"] for one in told if one["valid"]]
    if len(known) < 3:
        raise CannotRunError(f"{len(known)} of {len(results)} came through: {_why(results)}")
    own, low, high = variation(known)
    figures = {
        "count": len(known),
        "asked_for": count,
        "mean_j_per_output_token": fmean(known),
        "variation": own,
        "variation_95": [low, high],
        "repeats": told,
    }
    verdict = (
        f"{own:.2%} [{low:.2%}, {high:.2%}] between {len(known)} processes, at "
        f"{fmean(known) * 1000:.4g} mJ/output token"
    )
    return Finding(REPEATS, verdict, figures=figures)


def ladder(
    runner: Runner, configs: Sequence[tuple[str, ExperimentConfig]], until_s: float
) -> Finding:
    """Models over batch sizes, each with its multiple of the reference.

    Raises:
        CannotRunError: none came through.
    """
    results = runner.run([config for _, config in configs], 1, until_s)
    rows = [
        {"model": name, **_figures(result)}
        for (name, _), result in zip(configs, results, strict=False)
    ]
    measured = [row for row in rows if row["valid"]]
    if not measured:
        raise CannotRunError(f"no experiment came through: {_why(results)}")
    times = [row["times_reference"] for row in measured if row["times_reference"] is not None]
    if times:
        verdict = f"{min(times):.1f} to {max(times):.1f} times the reference"
    else:
        verdict = f"no reference: {measured[0]['floor_reason']}"
    verdict = f"{len(measured)} of {len(configs)} measured, {verdict}"
    broken = len(measured) < len(results)
    verdict += f"; {_why(results)}" if broken else ""
    return Finding(LADDER, verdict, BROKEN if broken else "found", {"rows": rows})


def _figures(result: ExperimentResult) -> dict[str, Any]:
    """What is kept of one experiment."""
    measured = result.headline
    about: dict[str, Any] = {
        "experiment_id": result.experiment_id,
        "batch_size": result.config.batch_size,
        "input_tokens": result.config.input_tokens,
        "output_tokens": result.config.output_tokens,
        "outcome": result.outcome,
        "message": result.message,
        "valid": measured is not None
        and measured.valid
        and measured.energy_per_output_token_j is not None,
    }
    floor = None if measured is None else measured.floor
    decode = None if floor is None else floor.decode
    names = (
        "energy_per_output_token_j",
        "energy_per_output_token_uncertainty_j",
        "output_tokens_per_s",
        "power_w",
    )
    about |= {name: getattr(measured, name, None) for name in names}
    return {
        **about,
        "strict_per_output_token_j": getattr(floor, "strict_per_output_token_j", None),
        "reference_per_output_token_j": getattr(floor, "reference_per_output_token_j", None),
        "times_reference": getattr(floor, "times_reference", None),
        "decode_times_reference": getattr(decode, "times_reference", None),
        "floor_reason": getattr(floor, "reason", None),
        "converged": None
        if measured is None or not measured.warm_up
        else measured.warm_up.converged,
        "warnings": [] if measured is None else list(measured.warnings),
    }


def _why(results: Sequence[ExperimentResult]) -> str:
    """The first thing that went wrong."""
    for result in results:
        measured = result.headline
        if result.outcome != "passed":
            return f"{result.outcome}: {(result.message or '').strip().splitlines()[-1:]}"
        if measured is None or not measured.valid:
            said = [] if measured is None else [w for one in measured.windows for w in one.warnings]
            return "; ".join(dict.fromkeys(said)) or "nothing was measured"
    return "there was no time for more"
