"""Results and judgements to show, built from the few values that a test is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.verdict import Judgement, Verdict
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.energy.measured import Measured, Phase, WindowSample
from pytest_llem.reports.rows import SummaryRow
from pytest_llem.results.schema import DeviceFacts, ExperimentResult, Methodology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.devices.meter import Method

NOTHING: dict[str, Any] = dict.fromkeys(
    (
        "energy_j",
        "energy_uncertainty_j",
        "power_w",
        "duration_s",
        "requests",
        "input_tokens",
        "output_tokens",
        "energy_per_output_token_j",
        "energy_per_output_token_uncertainty_j",
        "energy_per_request_j",
        "output_tokens_per_s",
        "ttft_s",
        "itl_s",
    )
)


class Make:
    """Builders whose arguments are the values that matter; the rest is unknown."""

    def phase(self, energy_j: float | None = None, uncertainty_j: float | None = None) -> Phase:
        known = {"energy_j": energy_j, "energy_uncertainty_j": uncertainty_j}
        return Phase(**{**NOTHING, **known}, method="measured", reason="prefill-only windows")

    def window(self, index: int = 0, **known: Any) -> WindowSample:
        fields: dict[str, Any] = {
            "phase": "whole",
            "index": index,
            "start_ns": index * 10**9,
            "end_ns": (index + 1) * 10**9,
            "duration_s": 1.0,
            "passes": 3,
            "valid": True,
            "warnings": (),
        }
        others = set(WindowSample.model_fields) - set(fields)
        return WindowSample(**{**dict.fromkeys(others), **fields, **known})

    def measured(
        self,
        *,
        method: Method = "counter",
        prefill: Phase | None = None,
        decode: Phase | None = None,
        **known: Any,
    ) -> Measured:
        fields: dict[str, Any] = {
            "name": "workload",
            "meter": "estimate" if method == "estimated" else "nvml",
            "scope": "process" if method == "estimated" else "gpu",
            "devices": ("GPU-1",),
            "windows": (),
            "warm_up": None,
            "steady_state_window": None,
            "valid": True,
            "warnings": (),
        }
        return Measured(
            **{**NOTHING, **fields, **known},
            method=method,
            prefill=prefill or self.phase(),
            decode=decode or self.phase(),
        )

    def result(
        self,
        label: str = "float32-1",
        measurements: Sequence[Measured] = (),
        **known: Any,
    ) -> ExperimentResult:
        group = known.get("group", "bench/test_chat.py::test_chat")
        methodology = None
        if measurements:
            first = measurements[0]
            methodology = Methodology(
                meter=first.meter,
                scope=first.scope,
                method=first.method,
                devices=(DeviceFacts(uuid="GPU-1", name="H100", index=0, power_limit_w=None),),
                estimator="edges/1",
                declared_w_per_core=10.0 if first.method == "estimated" else None,
            )
        fields: dict[str, Any] = {
            "experiment_id": "test_chat-0123456789abcdef",
            "config_hash": "0123456789abcdef",
            "group": group,
            "label": label,
            "own_arguments": {},
            "node_id": f"{group}[{label}]" if label else group,
            "run_id": "20261101-120000-ab12",
            "repeat": 0,
            "outcome": "passed",
            "message": None,
            "started_at": "2026-11-01T12:00:00+00:00",
            "config": ExperimentConfig(),
            "measurement_methodology": methodology,
            "steady_state_window": None,
            "engine": None,
        }
        return ExperimentResult(**{**fields, **known}, measurements=tuple(measurements))

    def judgement(self, verdict: Verdict = "pass", **known: Any) -> Judgement:
        fields: dict[str, Any] = {
            "metric": "energy_per_output_token_j",
            "measurement": "workload",
            "candidate": None,
            "baseline": None,
            "change": None,
            "interval": None,
            "tolerance": "5%",
            "minimum_detectable_change": None,
            "explanation": f"it is {verdict}",
        }
        return Judgement(verdict=verdict, **{**fields, **known})

    def row(
        self,
        label: str = "float32-1",
        judgements: Sequence[Judgement] = (),
        *,
        measurements: Sequence[Measured] | None = None,
        result: dict[str, Any] | None = None,
        **known: Any,
    ) -> SummaryRow:
        """A row of one measurement with *known* figures, unless *measurements* are given."""
        made = [self.measured(**known)] if measurements is None else measurements
        return SummaryRow(self.result(label, made, **(result or {})), judgements)

    def token_row(
        self,
        label: str,
        energy_j: float | None,
        uncertainty_j: float | None = None,
        judgements: Sequence[Judgement] = (),
        **known: Any,
    ) -> SummaryRow:
        """A row about energy per output token."""
        figures = {
            "energy_per_output_token_j": energy_j,
            "energy_per_output_token_uncertainty_j": uncertainty_j,
        }
        return self.row(label, judgements, **{**figures, **known})


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()
