"""What the loops of a session say of it."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.anchors import AnchorReading, anchor_of, cancelling, readings_for
from pytest_llem.baselines.comparing import compare
from pytest_llem.baselines.file import Entry
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.baselines.sessions import session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.schema import ExperimentResult

PLACES = ("start", "middle", "end")
LOOPS = ("compute", "memory")


def readings(factor: float = 1.0, *, energy: bool = True) -> tuple[AnchorReading, ...]:
    """Both loops at all places: 2 s and 500 J, and 1 s and 100 J."""
    sizes = {"compute": (2.0, 500.0), "memory": (1.0, 100.0)}
    return tuple(
        AnchorReading.model_validate(
            {
                "loop": loop,
                "place": place,
                "duration_s": sizes[loop][0] * factor,
                "energy_j": sizes[loop][1] * factor if energy else None,
            }
        )
        for loop in LOOPS
        for place in PLACES
    )


@pytest.mark.parametrize(
    ("metric", "moved"),
    [
        ("energy_per_output_token_j", 1.01),
        ("ttft_s", 1.01),
        ("power_w", 1.0),
        ("output_tokens_per_s", 1 / 1.01),
    ],
)
def test_an_anchor_moves_as_the_metric_would(metric: str, moved: float) -> None:
    before, now = (anchor_of(readings(factor), metric) for factor in (1.0, 1.01))
    assert before is not None
    assert now is not None
    assert now.log - before.log == pytest.approx(math.log(moved), abs=1e-12)


def test_without_energy_anchors_say_nothing_of_energy() -> None:
    assert anchor_of(readings(energy=False), "energy_j") is None
    assert anchor_of(readings(energy=False), "duration_s") is not None
    assert anchor_of((), "duration_s") is None


@given(st.floats(0.0, 0.05))
def test_readings_that_differ_make_an_anchor_less_sure(spread: float) -> None:
    calm = anchor_of(readings(), "energy_j")
    restless = anchor_of(
        [
            one.model_copy(update={"energy_j": (one.energy_j or 0) * (1 + spread * place)})
            for place, one in enumerate(readings())
        ],
        "energy_j",
    )
    assert calm is not None
    assert restless is not None
    assert 0 < calm.error <= restless.error


@given(st.floats(0.0, 0.05))
def test_an_anchor_is_never_surer_than_its_readings(stated: float) -> None:
    some = [
        one.model_copy(update={"energy_uncertainty_j": 1.96 * stated * (one.energy_j or 0)})
        for one in readings()
    ]
    found = anchor_of(some, "energy_j")
    assert found is not None
    assert found.error >= stated / math.sqrt(6) * 0.999


@given(st.floats(-0.03, 0.03), st.integers(1, 5))
def test_loops_that_disagree_leave_open_what_an_experiment_takes(gap: float, sessions: int) -> None:
    """Its true share of either loop may be anything between, so the variance is a twelfth of it."""
    now = [
        one.model_copy(update={"energy_j": (one.energy_j or 0) * math.exp(gap)})
        if one.loop == "compute"
        else one
        for one in readings()
    ]
    alike = cancelling([readings()] * sessions, readings(), "energy_j").anchors
    apart = cancelling([readings()] * sessions, now, "energy_j").anchors
    assert apart[-1].log - apart[0].log == pytest.approx(gap / 2, abs=1e-9)
    added = [one.error**2 - then.error**2 for one, then in zip(apart, alike, strict=True)]
    both = math.fsum(added[:-1]) / sessions + added[-1]
    assert both / 2 * (1 / sessions + 1) >= 0.999 * gap**2 / 12 - 1e-15


@pytest.mark.parametrize("sessions", [1, 4])
@pytest.mark.parametrize("together", [True, False])
def test_what_anchors_do_not_cancel_is_within_their_stated_error(
    sessions: int, *, together: bool
) -> None:
    """Sessions move the loops by half a percent, and an experiment takes any share of either."""
    chance, far, times = random.Random(7), 0, 400  # noqa: S311 - a simulation
    for _ in range(times):
        share, read, true = chance.random(), [], []
        for _ in range(sessions + 1):
            compute = chance.gauss(0, 0.005)
            memory = compute if together else chance.gauss(0, 0.005)
            read.append(_noisy(compute, memory, chance))
            true.append(share * compute + (1 - share) * memory)
        anchors = cancelling(read[:-1], read[-1], "energy_j").anchors
        found = _change([one.log for one in anchors])
        errors = [one.error**2 for one in anchors]
        stated = (math.fsum(errors[:-1]) / sessions + errors[-1]) / 2 * (1 / sessions + 1)
        far += abs(found - _change(true)) > 1.96 * math.sqrt(stated)
    assert far / times <= 0.08


def _change(values: list[float]) -> float:
    return values[-1] - math.fsum(values[:-1]) / (len(values) - 1)


def _noisy(compute: float, memory: float, chance: random.Random) -> tuple[AnchorReading, ...]:
    moved = {"compute": compute, "memory": memory}
    return tuple(
        one.model_copy(
            update={"energy_j": 100 * math.exp(moved[one.loop] + chance.gauss(0, 0.003))}
        )
        for one in readings()
    )


def test_only_the_same_loops_in_every_session_cancel_it() -> None:
    def named(version: str, some: tuple[AnchorReading, ...]) -> tuple[AnchorReading, ...]:
        return tuple(one.model_copy(update={"name": f"{one.loop}/it/{version}"}) for one in some)

    before, compute = named("1", readings()), named("1", readings())[:1]
    same = cancelling([before], named("1", readings(1.02)), "energy_j")
    assert not same.why_not
    assert same.moved == {
        "compute": pytest.approx(0.02, abs=1e-9),
        "memory": pytest.approx(0.02, abs=1e-9),
    }
    for sessions, now, why in (
        ([before], named("2", readings()), "anchors are others than the baseline's: compute/it/2"),
        ([before], compute, "anchors are others"),
        ([before, ()], before, "no anchors in 1 of 2 sessions of the baseline"),
        ([before], (), "no anchors in this session: it broke"),
        ([()], before, ""),
        ([()], (), ""),
    ):
        found = cancelling(sessions, now, "energy_j", "it broke")
        assert (found.anchors, found.moved) == ((), {})
        assert found.why_not.startswith(why)
        assert bool(found.why_not) == bool(why)


def test_readings_come_from_the_devices_of_the_experiment_and_only_if_they_are_sound(
    make_result: Callable[..., ExperimentResult],
) -> None:
    experiment = make_result([0.4] * 3)

    def loops(repeat: int, **changes: Any) -> ExperimentResult:
        result = make_result([0.4] * 3, repeat=repeat)
        headline = result.measurements[0]
        both = [headline.model_copy(update={"name": f"{loop}/it/1"}) for loop in LOOPS]
        return result.model_copy(update={"measurements": tuple(both), **changes})

    how = experiment.measurement_methodology
    assert how is not None
    others = tuple(one.model_copy(update={"uuid": "GPU-other"}) for one in how.devices)
    elsewhere = how.model_copy(update={"devices": others})
    anchors = [
        loops(2),
        loops(0),
        loops(1, measurement_methodology=elsewhere),
        loops(3, outcome="crashed", message="killed"),
        loops(4),
    ]
    found = readings_for(experiment, anchors)
    assert [(one.loop, one.place) for one in found] == [
        (loop, place) for place in PLACES for loop in LOOPS
    ]
    headline = experiment.measurements[0]
    assert {one.energy_j for one in found} == {headline.energy_j}
    assert {one.windows for one in found} == {3}
    assert [one.place for one in readings_for(experiment, anchors[:1])] == ["start"] * 2
    assert [one.place for one in readings_for(experiment, anchors[:2])] == ["start"] * 2 + [
        "end"
    ] * 2


def test_a_day_that_moves_all_alike_is_no_regression(
    make_result: Callable[..., ExperimentResult],
    make_environment: Callable[..., dict[str, Any]],
) -> None:
    environment = make_environment()
    repeats = [[make_result([0.4 * day] * 3, repeat=one) for one in range(6)] for day in (1, 1.06)]
    verdicts = {}
    for anchored in (False, True):
        sessions = [
            session_of(some, environment, readings(day) if anchored else ())
            for some, day in zip(repeats, (1.0, 1.06), strict=True)
        ]
        entry = Entry(label="", config={}, own_arguments={}, sessions=(sessions[0],))
        rules = parse_rules(["energy_per_output_token_j:3%"])
        made = compare(repeats[1], entry, rules, environment, anchors=sessions[1].anchors)
        (verdicts[anchored],) = judge(made)
    assert verdicts[False].verdict != "pass"
    assert verdicts[True].verdict == "pass"
    assert verdicts[True].change == pytest.approx(0.0, abs=1e-6)
    said = "anchors drew +6.0 % energy in this session (compute +6.0 %, memory +6.0 %), taken off"
    assert said in verdicts[True].explanation
