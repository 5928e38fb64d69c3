"""What a family says about the noise of each of its members."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import polygamma

from pytest_llem.baselines.contrasts import Family, Priors
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.looks import plan_looks
from pytest_llem.baselines.moderation import family_prior, fit, inverse_trigamma
from pytest_llem.baselines.prior import MEASURED
from pytest_llem.baselines.processes import processes_of
from pytest_llem.baselines.samples import Sample, Side

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pytest_llem.baselines.comparison import Comparison

    MakeComparison = Callable[..., Comparison]
    MakeSide = Callable[..., Side]


@given(st.floats(1e-6, 1e4))
def test_the_trigamma_function_is_inverted(value: float) -> None:
    assert float(polygamma(1, inverse_trigamma(value))) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("scale", [0.2, 1.0, 3.0])
def test_a_large_family_tells_scale_and_spread_of_its_variances(scale: float) -> None:
    chance = np.random.default_rng(1)
    spread, df = 12.0, np.full(20_000, 8.0)
    ratios = scale * chance.f(8, spread, len(df))
    found, worth = fit(ratios, df, profile_df=4.0)
    assert found == pytest.approx(scale, rel=0.05)
    assert worth == pytest.approx(spread, rel=0.15)


def test_equal_variances_are_worth_many_degrees_of_freedom() -> None:
    chance = np.random.default_rng(2)
    df = np.full(5_000, 8.0)
    _, worth = fit(chance.chisquare(8, len(df)) / 8, df, profile_df=4.0)
    assert worth > 200


def test_variances_of_zero_do_not_break_the_fit() -> None:
    scale, worth = fit(np.array([0.0, 0.0, 1.0]), np.array([1.0, 2.0, 3.0]), profile_df=4.0)
    assert scale > 0
    assert worth > 0


def test_only_members_of_a_group_learn_from_each_other(
    make_comparison: MakeComparison,
    make_side: MakeSide,
    seeded: Callable[[int], random.Random],
) -> None:
    chance = seeded(3)
    some = [make_comparison(make_side(chance, 5), make_side(chance, 5)) for _ in range(30)]
    noise = Family(processes_of(some), Priors.of([MEASURED] * 30)).noise()
    groups = np.array([0] * 28 + [1, -1])
    expected, df = family_prior(noise, groups)
    assert (expected[:28] != noise.expected[:28]).all()
    assert (df[:28] > noise.expected_df[:28]).all()
    assert expected[28:].tolist() == noise.expected[28:].tolist()
    assert df[28:].tolist() == noise.expected_df[28:].tolist()


@pytest.mark.parametrize("experiments", [1, 2, 10, 200])
@pytest.mark.parametrize(
    ("share", "verdict"), [(1.0, "pass"), (0.96, "pass"), (0.94, "regressed"), (0.5, "regressed")]
)
def test_a_limit_is_judged_where_no_experiment_of_the_family_varies(
    make_comparison: MakeComparison, experiments: int, share: float, verdict: str
) -> None:
    """As a share of requests in time is, which is the same in all processes."""
    made = [
        make_comparison(
            Side(((Sample((0.95,)),),)),
            Side(((Sample((share,)),) * 6,)),
            "traffic.goodput_share:>=95%",
            experiment=str(number),
            same_session=True,
        )
        for number in range(experiments)
    ]
    for one in judge(made):
        assert one.interval is not None
        assert all(map(math.isfinite, one.interval))
        if experiments > 1:
            assert one.verdict == verdict


@pytest.mark.parametrize("steady", [4, 6, 8, 10])
def test_experiments_that_never_vary_are_judged_beside_those_that_do(
    make_comparison: MakeComparison,
    make_side: MakeSide,
    seeded: Callable[[int], random.Random],
    steady: int,
) -> None:
    chance, same = seeded(9), Side(((Sample((1.0,)),) * 4,))
    sides = [
        (same, same)
        if number < steady
        else (make_side(chance, 4, sessions=0), make_side(chance, 4, sessions=0))
        for number in range(10)
    ]
    made = [
        make_comparison(*both, experiment=str(number), same_session=True)
        for number, both in enumerate(sides)
    ]
    assert {one.verdict for one in judge(made)} == {"pass"}


def interleaved(
    make_comparison: MakeComparison, make_side: MakeSide, chance: random.Random, *changes: float
) -> list[Comparison]:
    """Comparisons of two sides that were measured in one session."""
    return [
        make_comparison(
            make_side(chance, 8, sessions=0),
            make_side(chance, 8, change, sessions=0),
            "energy_per_output_token_j:2%",
            experiment=str(number),
            same_session=True,
        )
        for number, change in enumerate(changes)
    ]


def test_a_family_finds_what_its_members_would_not_find_alone(
    make_comparison: MakeComparison,
    make_side: MakeSide,
    seeded: Callable[[int], random.Random],
) -> None:
    made = interleaved(make_comparison, make_side, seeded(4), *[0.05] * 10, *[0.0] * 90)
    together = judge(made)
    alone = judge(made[:10], family_size=100)
    found = [one.verdict for one in together[:10]].count("regressed")
    assert found >= 5
    assert found > [one.verdict for one in alone].count("regressed")
    assert all(one.verdict in {"pass", "inconclusive"} for one in together[10:])


def test_families_at_their_tolerance_are_seldom_failed_however_often_is_looked(
    make_comparison: MakeComparison,
    make_side: MakeSide,
    seeded: Callable[[int], random.Random],
) -> None:
    chance, looks = seeded(5), plan_looks(4, 8)
    failures = passes = 0
    for _ in range(25):
        made = interleaved(make_comparison, make_side, chance, *[0.02] * 20)
        judged = judge(made, looks=looks)
        failures += any(one.verdict == "regressed" for one in judged)
        passes += sum(one.verdict in {"pass", "improved"} for one in judged)
    assert failures <= 2  # of 25; 1 % is promised
    assert passes <= 0.08 * 25 * 20  # 5 % is promised


def test_processes_beyond_the_last_look_do_not_count_and_the_same_data_say_the_same(
    make_comparison: MakeComparison,
    make_side: MakeSide,
    seeded: Callable[[int], random.Random],
) -> None:
    (made,) = interleaved(make_comparison, make_side, seeded(6), 0.01)
    looks = plan_looks(4, 20)
    seven = judge([_first(made, 7)], looks=looks)
    assert judge([_first(made, 7)], looks=looks) == seven
    assert seven[0].interval != judge([_first(made, 6)], looks=looks)[0].interval
    few = plan_looks(6, 20)
    assert few.processes[:3] == (6, 7, 8)


def _first(comparison: Comparison, count: int) -> Comparison:
    sides = [
        Side(tuple(session[:count] for session in side.sessions))
        for side in (comparison.baseline, comparison.candidate)
        if side is not None
    ]
    changed = {"baseline": sides[0], "candidate": sides[1]}
    fields = {name: getattr(comparison, name) for name in comparison.__slots__}
    return type(comparison)(**{**fields, **changed})


def test_what_cannot_be_told_is_given_up_early(
    make_comparison: MakeComparison,
    make_side: MakeSide,
    seeded: Callable[[int], random.Random],
) -> None:
    chance = seeded(7)
    made = [
        make_comparison(
            make_side(chance, 5, sessions=0),
            make_side(chance, 5, change, sessions=0),
            "energy_per_output_token_j:2%",
            experiment=str(number),
        )
        for number, change in enumerate([0.03] * 10)
    ]
    judged = judge(made, looks=plan_looks(5, 20))
    assert {one.verdict for one in judged} == {"inconclusive"}
    assert not any(one.undecided for one in judged)
