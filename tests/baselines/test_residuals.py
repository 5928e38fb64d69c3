"""What a family shows of what anchors leave of sessions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llem.baselines.contrasts import Family, Priors
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.moderation import family_prior
from pytest_llem.baselines.prior import MEASURED
from pytest_llem.baselines.processes import processes_of
from pytest_llem.baselines.residuals import anchors_leave, spread
from pytest_llem.baselines.samples import Anchor, Sample, Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.baselines.comparison import Comparison

    MakeComparison = Callable[..., Comparison]

SIZE = 120
ERROR = 0.002


def a_family(  # noqa: PLR0913 - what a family can be like
    make_comparison: MakeComparison,
    chance: np.random.Generator,
    *,
    cancelled: float = 1.0,
    shared: bool = False,
    same_anchors: bool = False,
    changes: np.ndarray | float = 0.0,
    size: int = SIZE,
) -> list[Comparison]:
    """Experiments of 20 processes in one session of the baseline, and 12 now, with anchors."""
    drawn = 1 if shared else size
    offsets = np.broadcast_to(chance.normal(0, 0.005, (2, drawn)), (2, size))
    errors = np.broadcast_to(chance.normal(0, ERROR, (2, 1 if same_anchors else size)), (2, size))
    changed = np.broadcast_to(changes, size)
    made = []
    for one in range(size):
        sides = []
        for side, count in enumerate((20, 12)):
            logs = offsets[side, one] + side * changed[one] + chance.normal(0, 0.01, count)
            values = np.exp(logs[:, None] + chance.normal(0, 0.01, (count, 3)))
            samples = tuple(Sample(tuple(process)) for process in values.tolist())
            anchor = float(cancelled * offsets[side, one] + errors[side, one])
            sides.append(Side((samples,), (Anchor(anchor, ERROR),)))
        made.append(make_comparison(*sides, "energy_per_output_token_j:2%", experiment=str(one)))
    return made


def remaining(made: list[Comparison]) -> float:
    """Share of the allowance that is left."""
    count = len(made)
    family = Family(processes_of(made), Priors.of([MEASURED] * count))
    noise, groups = family.noise(), np.zeros(count, dtype=np.int64)
    found = family.contrasts(noise, family_prior(noise, groups), np.ones(count, dtype=bool))
    allowed = family.allowances(noise)[1]
    left = anchors_leave(family, found, allowed, groups)
    return 1.0 if left is None else float((left.value / allowed.value).mean())


@pytest.mark.parametrize("seed", range(4))
def test_sessions_that_anchors_cancel_lower_the_allowance(
    make_comparison: MakeComparison, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    assert remaining(a_family(make_comparison, chance)) < 0.7


@pytest.mark.parametrize("seed", range(4))
def test_sessions_that_anchors_do_not_cancel_leave_it(
    make_comparison: MakeComparison, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    assert remaining(a_family(make_comparison, chance, cancelled=0.0)) == 1.0


@pytest.mark.parametrize("same_anchors", [True, False])
def test_what_all_have_in_common_is_shown_by_no_spread(
    make_comparison: MakeComparison, *, same_anchors: bool
) -> None:
    chance = np.random.default_rng(3)
    made = a_family(make_comparison, chance, cancelled=0.5, shared=True, same_anchors=same_anchors)
    assert remaining(made) == 1.0


def test_readings_of_one_session_that_hardly_differ_are_not_taken_for_several(
    make_comparison: MakeComparison,
) -> None:
    chance = np.random.default_rng(3)
    made = a_family(make_comparison, chance, cancelled=0.5, shared=True, same_anchors=True)
    jittered = []
    for one in made:
        assert one.baseline is not None
        anchors = [(Anchor(chance.normal(0, ERROR / 10), ERROR),) for _ in range(2)]
        sides = zip((one.baseline, one.candidate), anchors, strict=True)
        before, now = (replace(side, anchors=anchor) for side, anchor in sides)
        jittered.append(replace(one, baseline=before, candidate=now))
    assert remaining(jittered) == 1.0


def test_a_few_experiments_show_nothing(make_comparison: MakeComparison) -> None:
    assert remaining(a_family(make_comparison, np.random.default_rng(4), size=15)) == 1.0


def test_real_changes_never_lower_it(make_comparison: MakeComparison) -> None:
    changes = np.random.default_rng(5).normal(0, 0.03, SIZE)
    made = a_family(make_comparison, np.random.default_rng(6), changes=changes)
    assert remaining(made) == 1.0


def test_some_clear_changes_hardly_raise_it(make_comparison: MakeComparison) -> None:
    changes = np.where(np.arange(SIZE) < 12, 0.1, 0.0)
    plain, changed = (
        remaining(a_family(make_comparison, np.random.default_rng(7), changes=some))
        for some in (0.0, changes)
    )
    assert changed == pytest.approx(plain, abs=0.15)


def test_a_family_of_its_own_sessions_finds_more(make_comparison: MakeComparison) -> None:
    changes = np.where(np.arange(SIZE) < 30, np.log(1.045), 0.0)
    made = a_family(make_comparison, np.random.default_rng(8), changes=changes)
    anonymous = [
        make_comparison(
            *(
                Side(side.sessions, (Anchor(0.0, ERROR),))
                for side in (one.baseline, one.candidate)
                if side is not None
            ),
            "energy_per_output_token_j:2%",
            experiment=one.experiment,
        )
        for one in made
    ]
    found, fewer = (
        [one.verdict for one in judge(some)[:30]].count("regressed") for some in (made, anonymous)
    )
    assert found > fewer


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.floats(0.2, 5.0), st.floats(-3, 3))
def test_the_spread_of_normal_values_is_their_variance(
    seed: int, scale: float, centre: float
) -> None:
    chance = np.random.default_rng(seed)
    expected = chance.uniform(0.5, 2.0, 2000)
    values = centre + scale * chance.normal(0, np.sqrt(expected))
    ratio, df = spread(values, expected)
    assert ratio == pytest.approx(scale**2, rel=0.2)
    assert 1000 < df < 2000


@settings(max_examples=30)
@given(st.integers(0, 2**16), st.floats(0.0, 10.0), st.sampled_from([0.05, 0.2, 0.4]))
def test_what_is_added_to_values_never_makes_their_spread_smaller(
    seed: int, size: float, share: float
) -> None:
    chance = np.random.default_rng(seed)
    added = np.where(chance.random(2000) < share, size * chance.exponential(1, 2000), 0.0)
    ratio, _ = spread(chance.normal(0, 1, 2000) + added, np.ones(2000))
    assert ratio > 0.85


def test_values_that_were_measured_on_because_they_were_undecided_do_not_lower_it() -> None:
    chance = np.random.default_rng(9)
    session, noise = chance.normal(0, 0.5, 4000), chance.normal(0, 1, (4000, 16))
    few, many = session + noise[:, :2].mean(axis=1), session + noise.mean(axis=1)
    undecided = np.abs(few) < 0.4
    values = np.where(undecided, many, few)
    expected = 0.25 + np.where(undecided, 1 / 16, 1 / 2)
    ratio, _ = spread(values, expected)
    assert ratio == pytest.approx(1.0, abs=0.07)
