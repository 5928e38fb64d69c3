"""Rules about meters that were read beside the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.comparing import compare
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.baselines.store import BaselineStore
from pytest_llem.energy.measured import Figures, ScopeFigures
from pytest_llem.results.schema import DeviceFacts, Reading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.energy.measured import Measured
    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]
    Judged = Callable[..., Judgement]

GATE = "beside.package.rapl.energy_j:5%"


@pytest.fixture
def with_beside(make_result: MakeResult, make_measurement: Callable[..., Measured]) -> MakeResult:
    """A result with figures of meters beside the first, of these joules a pass."""

    def made(*beside: dict[str, Any], **changes: Any) -> ExperimentResult:
        own = make_measurement((0.4, 0.401, 0.399))
        facts = {name: getattr(own, name) for name in Figures.model_fields}
        figures, readings = [], []
        for one in beside:
            kind = {"meter": "rapl", "scope": "package", "method": "counter", **one}
            energy_j, name = kind.pop("energy_j"), kind.pop("name", "EPYC")
            uncertainty_j = kind.pop("energy_uncertainty_j", 0.001)
            known = {**facts, "energy_j": energy_j, "energy_uncertainty_j": uncertainty_j}
            figures.append(ScopeFigures(**{**known, **kind, "devices": (name,), "warnings": ()}))
            device = DeviceFacts(uuid=f"cpu-{name}", name=name, index=0, power_limit_w=None)
            watts = 6.0 if kind["method"] == "estimated" else None
            readings.append(
                Reading(**kind, devices=(device,), estimator="edges 1", declared_w_per_core=watts)
            )
        methodology = {"beside": tuple(readings), **changes.pop("methodology", {})}
        measured = {"beside": tuple(figures)}
        return make_result(measured=measured, methodology=methodology, **changes)

    return made


@pytest.fixture
def judged(tmp_path: Path, make_environment: MakeEnvironment) -> Judged:
    def judged(before: list[ExperimentResult], now: ExperimentResult, gate: str) -> Judgement:
        store, environment = BaselineStore(tmp_path), make_environment()
        if before:
            store.update(before, environment)
        entry = BaselineStore(tmp_path).find(now, environment)
        (made,) = judge(compare([now], entry, parse_rules([gate]), environment))
        return made

    return judged


@pytest.mark.parametrize(
    ("energy_j", "gate", "verdict"),
    [
        (2.0, "beside.package.rapl.energy_j:9%", "pass"),
        (3.0, GATE, "regressed"),
        (1.0, GATE, "improved"),
        (3.0, "beside.rapl.energy_j:5%", "regressed"),
        (3.0, "beside.package.energy_j:5%", "regressed"),
        (3.0, "beside.package.rapl.energy_j:<=2.5J", "regressed"),
        (2.0, "beside.rapl.energy_j:<=2500mJ", "pass"),
        (2.0, "beside.rapl.power_w:<=900W", "pass"),
    ],
)
def test_a_meter_beside_the_first_is_judged_as_the_first_is(
    judged: Judged, with_beside: MakeResult, energy_j: float, gate: str, verdict: str
) -> None:
    made = judged([with_beside({"energy_j": 2.0})], with_beside({"energy_j": energy_j}), gate)
    assert made.verdict == verdict, made.explanation
    assert made.metric.startswith("beside.package.rapl.")


def test_names_that_several_meters_share_have_to_be_whole(
    judged: Judged, with_beside: MakeResult
) -> None:
    both = ({"energy_j": 2.0}, {"energy_j": 0.2, "scope": "dram"})
    made = judged([with_beside(*both)], with_beside(*both), "beside.rapl.energy_j:5%")
    assert made.verdict == "incomparable"
    assert "write beside.dram.rapl.energy_j or beside.package.rapl.energy_j" in made.explanation
    made = judged([], with_beside(*both), "beside.dram.rapl.energy_j:9%")
    assert made.verdict == "pass"


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ((), "no meter was read beside the first; --llem-meter=nvml,rapl reads two"),
        (({"energy_j": 2.0, "meter": "zeus"},), "beside the first were read package.zeus"),
        (({"energy_j": 2.0, "method": "estimated"},), "method counter → estimated"),
        (({"energy_j": 2.0, "name": "Xeon"},), "device EPYC → Xeon"),
    ],
)
def test_other_meters_methods_and_devices_are_incomparable(
    judged: Judged, with_beside: MakeResult, now: tuple[dict[str, Any], ...], said: str
) -> None:
    made = judged([with_beside({"energy_j": 2.0})], with_beside(*now), GATE)
    assert made.verdict == "incomparable"
    assert said in made.explanation


def test_a_baseline_without_that_meter_says_so(
    judged: Judged, with_beside: MakeResult, make_result: MakeResult
) -> None:
    made = judged([make_result()], with_beside({"energy_j": 2.0}), GATE)
    assert made.verdict == "incomparable"
    assert "beside.package.rapl.energy_j is unknown in the baseline" in made.explanation


def test_the_first_meter_and_its_power_limit_are_no_matter_to_another_meter(
    judged: Judged, with_beside: MakeResult
) -> None:
    card = DeviceFacts(uuid="GPU-a", name="NVIDIA H100 80GB HBM3", index=0, power_limit_w=400.0)
    now = with_beside({"energy_j": 3.0}, methodology={"devices": (card,), "meter": "zeus"})
    before = with_beside({"energy_j": 2.0})
    assert judged([before], now, GATE).verdict == "regressed"
    assert judged([], now, "energy_j:5%").verdict == "incomparable"


def test_what_a_meter_states_of_its_own_uncertainty_counts(
    judged: Judged, with_beside: MakeResult
) -> None:
    vague = [
        with_beside({"energy_j": energy_j, "energy_uncertainty_j": 1.0}) for energy_j in (2.0, 2.3)
    ]
    made = judged(vague[:1], vague[1], "beside.package.rapl.energy_j:5%")
    assert made.verdict == "inconclusive"


def test_estimates_beside_a_measurement_have_the_noise_of_estimates(
    judged: Judged, with_beside: MakeResult
) -> None:
    estimated = {"method": "estimated", "meter": "estimate", "scope": "process"}
    sides = [with_beside({**estimated, "energy_j": energy_j}) for energy_j in (2.0, 2.3)]
    made = judged(sides[:1], sides[1], "beside.estimate.energy_j:5%")
    assert made.verdict == "inconclusive"
    measured = [with_beside({"energy_j": energy_j}) for energy_j in (2.0, 2.3)]
    assert judged(measured[:1], measured[1], GATE).verdict == "regressed"
