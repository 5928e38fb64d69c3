"""What the loops of a session say of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.anchors import AnchorReading, anchor_of
from pytest_llem.baselines.comparison import compare
from pytest_llem.baselines.file import Entry
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.rules import parse_rules
from pytest_llem.baselines.sessions import session_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

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
