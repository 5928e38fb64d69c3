"""Results, environments and comparisons to try the judge on."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.rules import parse_rule
from pytest_llem.baselines.samples import Sample, Side
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import config_hash
from pytest_llem.energy.measured import Measured, Phase, WindowSample
from pytest_llem.results.schema import DeviceFacts, ExperimentResult, Methodology

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

H100 = "NVIDIA H100 80GB HBM3"
PASSES = 4
TOKENS = 64


def a_window(energy_per_token_j: float, **changes: Any) -> WindowSample:
    """A window of four passes of one request with 64 tokens, at 500 W."""
    energy_j = energy_per_token_j * TOKENS * PASSES
    facts: dict[str, Any] = {
        "phase": "whole",
        "index": 0,
        "start_ns": 0,
        "end_ns": 10**9,
        "duration_s": energy_j / 500,
        "passes": PASSES,
        "energy_j": energy_j,
        "energy_uncertainty_j": energy_j * 0.001,
        "counter_energy_j": energy_j,
        "integrated_energy_j": None,
        "power_w": 500.0,
        "requests": PASSES,
        "input_tokens": 128 * PASSES,
        "output_tokens": TOKENS * PASSES,
        "ttft_s": 0.02,
        "itl_s": 0.005,
        "temperature_c": 60.0,
        "sm_clock_mhz": 1980.0,
        "power_limit_w": 700.0,
        "throttle_reasons": (),
        "valid": True,
        "warnings": (),
        "finish_reasons": {"length": PASSES},
    }
    return WindowSample.model_validate({**facts, **changes})


def a_phase(energy_per_token_j: float | None, **changes: Any) -> Phase:
    """A phase of one pass at 500 W; unresolved if no energy is given."""
    energy_j = None if energy_per_token_j is None else energy_per_token_j * TOKENS
    facts: dict[str, Any] = {
        "energy_j": energy_j,
        "energy_uncertainty_j": None if energy_j is None else energy_j * 0.02,
        "power_w": None if energy_j is None else 500.0,
        "duration_s": None if energy_j is None else energy_j / 500,
        "requests": 1,
        "input_tokens": 128,
        "output_tokens": TOKENS,
        "energy_per_output_token_j": energy_per_token_j,
        "energy_per_output_token_uncertainty_j": None,
        "energy_per_request_j": energy_j,
        "output_tokens_per_s": None,
        "ttft_s": None,
        "itl_s": None,
        "method": "unresolved" if energy_j is None else "measured",
        "reason": "as it was made",
    }
    return Phase.model_validate({**facts, **changes})


def a_measurement(values: Sequence[float], **changes: Any) -> Measured:
    """A measurement whose windows have these J/token; prefill takes a quarter of it."""
    mean = sum(values) / len(values)
    samples = [a_window(value, index=index) for index, value in enumerate(values)]
    prefill = [
        a_window(value / 4, phase="prefill", index=index, output_tokens=PASSES)
        for index, value in enumerate(values[:3])
    ]
    facts: dict[str, Any] = {
        **a_phase(mean).model_dump(exclude={"method", "reason"}),
        "name": "workload",
        "meter": "nvml",
        "scope": "gpu",
        "method": "counter",
        "devices": ("GPU-a",),
        "prefill": a_phase(mean / 4),
        "decode": a_phase(mean * 3 / 4),
        "windows": (*samples, *prefill),
        "warm_up": None,
        "steady_state_window": (0, 10**9),
        "valid": True,
        "warnings": (),
    }
    return Measured.model_validate({**facts, **changes})


def a_result(windows: Sequence[float] = (0.4, 0.401, 0.399), **changes: Any) -> ExperimentResult:
    """A passed result of one H100 whose headline's windows have these J/token.

    Changes of ``config``, ``methodology`` and ``measured`` are mappings of fields.
    """
    config = ExperimentConfig.model_validate({"output_tokens": TOKENS, **changes.pop("config", {})})
    methodology = {
        "meter": "nvml",
        "scope": "gpu",
        "method": "counter",
        "devices": (DeviceFacts(uuid="GPU-a", name=H100, index=0, power_limit_w=700.0),),
        "estimator": "refresh-edges 1",
        "declared_w_per_core": None,
        **changes.pop("methodology", {}),
    }
    measured = changes.pop("measured", {})
    facts: dict[str, Any] = {
        "experiment_id": f"test_chat-{config_hash(config)}",
        "config_hash": config_hash(config),
        "group": "bench/test_chat.py::test_chat",
        "label": f"batch_size={config.batch_size}",
        "own_arguments": {},
        "node_id": None,
        "run_id": "run-1",
        "repeat": 0,
        "outcome": "passed",
        "message": None,
        "started_at": "2026-11-02T10:00:00+00:00",
        "config": config,
        "measurement_methodology": Methodology.model_validate(methodology),
        "steady_state_window": (0, 10**9),
        "measurements": (a_measurement(windows, **measured),),
        "engine": None,
    }
    return ExperimentResult.model_validate({**facts, **changes})


def an_environment(**changes: Any) -> dict[str, Any]:
    """The snapshot of a machine with one H100, as it is stored."""
    return {
        "os": "Debian GNU/Linux 12",
        "kernel": "Linux 6.1",
        "python": "CPython 3.11.7",
        "cpu_model": "AMD EPYC 9554",
        "logical_cores": 64,
        "physical_cores": 32,
        "memory_bytes": 2**38,
        "threads": 8,
        "driver_version": "550.54.15",
        "cuda_driver_version": "12.4",
        "gpus": [{"uuid": "GPU-a", "name": H100, "index": 0, "power_limit_w": 700.0}],
        "packages": {"torch": "2.13.0", "transformers": "5.22.0", "pytest-xdist": "3.8.0"},
        "git": {"commit": "0123456789abcdef", "dirty": False, "branch": "main"},
        "container": False,
        **changes,
    }


def noisy_side(rng: random.Random, processes: int, change: float = 0.0, **noise: float) -> Side:
    """One session around 0.4 J/token with nested noise; standard deviations by source."""
    sds = {"sessions": 0.005, "processes": 0.01, "windows": 0.015, **noise}
    session = math.log(0.4 * (1 + change)) + rng.gauss(0, sds["sessions"])
    return Side(
        sessions=(
            tuple(
                Sample(
                    _noisy_windows(rng, session + rng.gauss(0, sds["processes"]), sds["windows"])
                )
                for _ in range(processes)
            ),
        )
    )


def _noisy_windows(rng: random.Random, location: float, sd: float) -> tuple[float, ...]:
    """Five windows, of which one in fifty is an outlier."""
    outliers = [rng.expovariate(10) if rng.random() < 0.02 else 0.0 for _ in range(5)]
    return tuple(math.exp(location + rng.gauss(0, sd) + outlier) for outlier in outliers)


def a_comparison(
    baseline: Side | None,
    candidate: Side,
    rule: str = "energy_per_output_token_j:5%",
    **changes: Any,
) -> Comparison:
    """A comparison of two sides under one rule."""
    facts: dict[str, Any] = {"experiment": "one", "measurement": "workload", "profile": "measured"}
    return Comparison(
        **{
            **facts,
            "rule": parse_rule(rule),
            "baseline": baseline,
            "candidate": candidate,
            **changes,
        }
    )


@pytest.fixture(scope="session")
def make_result() -> Callable[..., ExperimentResult]:
    return a_result


@pytest.fixture(scope="session")
def make_measurement() -> Callable[..., Measured]:
    return a_measurement


@pytest.fixture(scope="session")
def make_window() -> Callable[..., WindowSample]:
    return a_window


@pytest.fixture(scope="session")
def make_environment() -> Callable[..., dict[str, Any]]:
    return an_environment


@pytest.fixture(scope="session")
def make_side() -> Callable[..., Side]:
    return noisy_side


@pytest.fixture(scope="session")
def make_comparison() -> Callable[..., Comparison]:
    return a_comparison


@pytest.fixture(scope="session")
def seeded() -> Callable[[int], random.Random]:
    """Chance that is the same every time."""
    return random.Random
