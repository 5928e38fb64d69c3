"""What experiments took, and what that comes to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.cost import Declared, Tariff
from pytest_llem.energy.spent import Spent
from pytest_llem.reports.cost import cost_lines
from pytest_llem.results.cost import Process, cost_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.cost import CostReport
    from pytest_llem.results.schema import ExperimentResult

    Make = Callable[..., ExperimentResult]

ALL = Tariff(
    currency="EUR",
    price_per_kwh=0.3,
    price_per_gpu_hour=2.0,
    grid_gco2e_per_kwh=400.0,
    pue=1.2,
)
AMOUNTS = st.floats(min_value=0.001, max_value=1e9)
TARIFFS = st.fixed_dictionaries(
    {
        "price_per_kwh": st.floats(0, 10),
        "price_per_gpu_hour": st.floats(0, 10),
        "grid_gco2e_per_kwh": st.floats(0, 1000),
        "pue": st.floats(1, 3),
    }
)


def report(tariff: Tariff, *experiments: list[Process]) -> CostReport:
    return cost_report(experiments, Declared(tariff, {}))


def spent(energy_j: float | None = 1000.0, read_s: float = 8.0, **known: Any) -> Spent:
    fields: dict[str, Any] = {"scope": "gpu", "method": "counter", "devices": 1, **known}
    return Spent(energy_j=energy_j, read_s=read_s, **fields)


def test_what_has_no_energy_makes_no_total_of_its_own(make_result: Make) -> None:
    first = make_result(wall_s=10.0)
    assert first.measurement_methodology is not None
    how = first.measurement_methodology.model_copy(update={"method": "estimated"})
    estimated = first.model_copy(update={"measurement_methodology": how})
    skipped = make_result(
        wall_s=1.0, measurements=(), measurement_methodology=None, outcome="skipped"
    )
    found = report(ALL, [Process(skipped, None)], [Process(estimated, spent(2.0))])
    told = [
        (one.of, one.experiments, one.taken.estimated, one.taken.time_s) for one in found.totals
    ]
    assert told == [(of, 2, True, 11.0) for of in ("engine", "model", "run", "all")]
    alone = report(ALL, [Process(skipped, None)])
    assert {(one.taken.estimated, one.taken.energy_j) for one in alone.totals} == {(False, None)}


@given(AMOUNTS, AMOUNTS, TARIFFS)
def test_money_and_carbon_are_what_was_declared_times_what_was_measured(
    make_result: Make, energy_j: float, wall_s: float, said: dict[str, float]
) -> None:
    tariff = Tariff(currency="EUR", **said)
    process = Process(make_result(wall_s=wall_s), spent(energy_j))
    money = report(tariff, [process]).experiments[0].taken.money
    kwh = energy_j / 1000 / 3600 * said["pue"]
    assert money.energy_price == pytest.approx(kwh * said["price_per_kwh"])
    assert money.carbon_gco2e == pytest.approx(kwh * said["grid_gco2e_per_kwh"])
    assert money.gpu_price == pytest.approx(wall_s / 3600 * said["price_per_gpu_hour"])


def test_without_a_declaration_there_is_neither_money_nor_carbon(make_result: Make) -> None:
    taken = report(Tariff(), [Process(make_result(wall_s=10.0), spent())]).experiments[0].taken
    assert set(taken.money.model_dump().values()) == {None}
    assert taken.energy_j == 1000.0
    grid = Tariff(grid_gco2e_per_kwh=360.0)
    money = report(grid, [Process(make_result(), spent())]).experiments[0].taken.money
    assert (money.energy_price, money.carbon_gco2e) == (None, pytest.approx(0.1))


def test_repeats_are_counted_with_all_that_was_read_of_them(make_result: Make) -> None:
    processes = [
        Process(make_result(repeat=0, wall_s=10.0), spent(1000.0)),
        Process(make_result(repeat=1, wall_s=12.0), spent(1100.0)),
    ]
    taken = report(ALL, processes).experiments[0].taken
    assert (taken.processes, taken.time_s, taken.energy_j) == (2, 22.0, 2100.0)
    assert taken.unread_s == pytest.approx(10 - 8 + 12 - 8)
    windows = [w for p in processes for m in p.result.measurements for w in m.windows]
    assert taken.windows_energy_j == pytest.approx(math.fsum(w.energy_j or 0 for w in windows))
    assert taken.windows_s == pytest.approx(math.fsum(w.duration_s for w in windows))
    assert taken.output_tokens == sum(w.output_tokens or 0 for w in windows)


def test_what_is_not_known_is_said_and_never_zero(make_result: Make) -> None:
    whole = make_result(wall_s=10.0)
    windows_j = sum(w.energy_j or 0.0 for m in whole.measurements for w in m.windows)
    nothing = make_result(
        wall_s=None, measurements=(), measurement_methodology=None, engine=None, outcome="crashed"
    )
    taken = report(ALL, [Process(whole, None)]).experiments[0].taken
    assert (taken.energy_j, taken.energy_windows_only) == (pytest.approx(windows_j), 1)
    taken = report(ALL, [Process(nothing, None)]).experiments[0].taken
    assert (taken.time_s, taken.energy_j, taken.output_tokens, taken.gpu_hours) == (None,) * 4
    assert (taken.time_unknown, taken.energy_unknown, taken.gpu_unknown) == (1, 1, 1)
    assert set(taken.money.model_dump().values()) == {None}


def test_why_energy_is_not_known_is_said_once(make_result: Make) -> None:
    reason = "GPU-1: the energy counter gave nothing new for the last 13.5 s"
    frozen = spent(None, reason=reason)
    result = make_result(wall_s=14.4, measurements=())
    found = report(Tariff(), [Process(result, frozen), Process(result, frozen)])
    taken = found.experiments[0].taken
    assert (taken.energy_j, taken.energy_unknown) == (None, 2)
    assert taken.energy_problems == (reason,)
    assert " ".join(cost_lines(found, width=200)).count(reason) == 1


def test_what_failed_was_paid_for_too(make_result: Make) -> None:
    crashed = make_result(
        wall_s=10.0, measurements=(), measurement_methodology=None, outcome="crashed", message="x"
    )
    (row,) = report(ALL, [Process(crashed, spent())]).experiments
    assert (row.outcome, row.taken.energy_j) == ("crashed", 1000.0)
    assert row.per_million_output_tokens is None


def test_totals_are_by_engine_model_and_run_and_estimates_stay_apart(make_result: Make) -> None:
    first = make_result(wall_s=10.0)
    assert first.measurement_methodology is not None
    estimated = first.measurement_methodology.model_copy(update={"method": "estimated"})
    other = make_result(
        wall_s=20.0,
        run_id="another",
        config=first.config.model_copy(update={"backend": "vllm"}),
        measurement_methodology=estimated,
    )
    found = report(ALL, [Process(first, spent(1.0))], [Process(other, spent(2.0))])
    told = [
        (total.of, total.name, total.taken.estimated, total.taken.energy_j)
        for total in found.totals
    ]
    model = first.config.model
    assert told == [
        ("engine", "transformers", False, 1.0),
        ("engine", "vllm", True, 2.0),
        ("model", model, False, 1.0),
        ("model", model, True, 2.0),
        ("run", first.run_id, False, 1.0),
        ("run", "another", True, 2.0),
        ("all", "", False, 1.0),
        ("all", "", True, 2.0),
    ]


def test_a_million_tokens_cost_what_windows_say(make_result: Make) -> None:
    result = make_result(wall_s=10.0)
    assert result.headline is not None
    per = report(ALL, [Process(result, spent())]).experiments[0].per_million_output_tokens
    token_j, rate = result.headline.energy_per_output_token_j, result.headline.output_tokens_per_s
    assert token_j is not None
    assert rate is not None
    assert per is not None
    assert per.energy_kwh == pytest.approx(token_j / 3.6)
    assert per.money.energy_price == pytest.approx(token_j / 3.6 * 1.2 * 0.3)
    assert per.money.gpu_price == pytest.approx(1e6 / rate / 3600 * 2.0)


def test_processors_alone_cost_no_gpu(make_result: Make) -> None:
    how = make_result().measurement_methodology
    assert how is not None
    result = make_result(
        wall_s=10.0,
        measurement_methodology=how.model_copy(update={"scope": "package"}),
        engine={"device_type": "cpu"},
    )
    taken = report(ALL, [Process(result, spent(scope="package"))]).experiments[0].taken
    assert (taken.gpu_hours, taken.money.gpu_price) == (0.0, 0.0)
