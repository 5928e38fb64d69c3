"""Results and judgements to show, built from the few values that a test is about."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.verdict import Judgement, Verdict
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.energy.measured import Measured, Phase, WindowSample
from pytest_llem.reports.exporters import EXPORTERS
from pytest_llem.reports.exporters.exporter import Exported, ExportedRun
from pytest_llem.reports.rows import SummaryRow
from pytest_llem.results.environment import Environment, Git
from pytest_llem.results.manifest import Manifest
from pytest_llem.results.schema import DeviceFacts, ExperimentResult, Methodology

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


class Export:
    """Experiments for exporters, and what they write of them."""

    def __init__(self, make: Make, directory: Path) -> None:
        self._make, self.path = make, directory / "export"
        manifest = Manifest(
            run_id="20261101-120000-ab12",
            tool_version="2.0.0",
            command=("pytest", "bench/"),
            planned=(),
            started_at="2026-11-01T12:00:00+00:00",
            finished_at="2026-11-01T12:05:00+00:00",
            state="finished",
            fingerprint="0123456789abcdef",
        )
        git = Git(commit="c0ffee", branch="main", dirty=True)
        self.run = ExportedRun(manifest, Environment(cpu_model="EPYC", git=git))

    def measured(self, energies_j: Sequence[float] = (3.0, 3.3, 3.6), **known: Any) -> Measured:
        """A measurement of so many windows of 3 passes with 10 output tokens each."""
        windows = tuple(
            self._make.window(
                number, energy_j=energy_j, output_tokens=30, requests=3, ttft_s=0.01 * (number + 1)
            )
            for number, energy_j in enumerate(energies_j)
        )
        fields: dict[str, Any] = {
            "energy_j": 1.1,
            "energy_uncertainty_j": 0.2,
            "energy_per_output_token_j": 0.11,
            "energy_per_output_token_uncertainty_j": 0.02,
            "duration_s": 1 / 3,
            "output_tokens_per_s": 30.0,
            "output_tokens": 10,
            "requests": 1,
            "power_w": 3.3,
        }
        return self._make.measured(windows=windows, **{**fields, **known})

    def experiment(
        self,
        label: str = "a",
        *measurements: Measured,
        judgements: Sequence[Judgement] = (),
        **known: Any,
    ) -> Exported:
        """One that measured :meth:`measured` unless something else is given."""
        known.setdefault("experiment_id", f"chat-{hashlib.sha256(label.encode()).hexdigest()[:16]}")
        result = self._make.result(label, measurements or [self.measured()], **known)
        return Exported(result, tuple(judgements), self.run)

    def written(self, exporter: str, *experiments: Exported) -> str:
        """What *exporter* writes of *experiments*."""
        EXPORTERS.load(exporter)().export(experiments, self.path)
        return self.path.read_bytes().decode()

    def document(self, exporter: str, *experiments: Exported) -> Any:
        """The same, of a format that is JSON."""
        return json.loads(self.written(exporter, *experiments))


@pytest.fixture(scope="session")
def export(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return Export(make, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()
