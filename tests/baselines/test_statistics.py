"""Locations, variances and tests, against scipy where it has the same thing."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from pytest_llem.baselines.comparison import Comparison
from pytest_llem.baselines.contrasts import Family, Priors
from pytest_llem.baselines.evaluation import above, quantile
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.prior import ESTIMATED, MEASURED
from pytest_llem.baselines.processes import processes_of, trimmed
from pytest_llem.baselines.rules import parse_rule
from pytest_llem.baselines.samples import Anchor, Sample, Side
from pytest_llem.baselines.statistics import location, windows
from pytest_llem.baselines.tolerance import bounds

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pytest_llem.baselines.prior import Prior

VALUES = st.lists(st.floats(0.01, 100), min_size=1, max_size=20)
SESSIONS = st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=3)
NO_PRIOR = MEASURED.model_copy(
    update={"process_df": 1e-9, "window_df": 1e-9, "process_sd": 1e-9, "window_sd": 1e-9}
)


class Part(NamedTuple):
    source: str
    baseline: float
    candidate: float
    assumed_sd: float | None


class One:
    """The contrast of a single comparison that has no family."""

    def __init__(self, before: Side, after: Side, prior: Prior, **known: bool) -> None:
        rule = parse_rule("energy_j:5%")
        comparison = Comparison("one", "workload", rule, "measured", before, after, **known)
        family = Family(processes_of([comparison]), Priors.of([prior]))
        noise = family.noise()
        own = (noise.expected, noise.expected_df)
        self._found = family.contrasts(noise, own, np.array([known["same_cards"]]))
        self.baseline, self.candidate = (
            float(self._found.baseline[0]),
            float(self._found.candidate[0]),
        )
        self.moved = float(self._found.anchored[0])
        parts = [
            Part(one.source, one.baseline[0], one.candidate[0], one.assumed_sd[0])
            for one in self._found.terms
        ]
        self.terms = tuple(part for part in parts if part.candidate > 0)

    def error(self, gain: float = 1.0) -> tuple[float, float]:
        error, df = self._found.error(gain)
        return float(error[0]), float(df[0])


contrast = One


def side(sessions: list[list[list[float]]], factor: float = 1.0) -> Side:
    return Side(
        tuple(
            tuple(Sample(tuple(value * factor for value in process)) for process in session)
            for session in sessions
        )
    )


@given(VALUES)
def test_a_process_lies_at_its_trimmed_mean(values: list[float]) -> None:
    found = windows(values)
    logs = [math.log(value) for value in values]
    assert found.location == pytest.approx(stats.trim_mean(logs, 0.2), abs=1e-9)


@given(VALUES)
def test_many_processes_are_reduced_as_one_is(values: list[float]) -> None:
    found = windows(values)
    location, squares, kept = trimmed(np.log(np.array([values, values])))
    assert location.tolist() == pytest.approx([found.location] * 2, abs=1e-9)
    assert squares.tolist() == pytest.approx([found.squares] * 2, abs=1e-9)
    assert kept == found.kept


@given(VALUES)
def test_winsorized_squares_are_those_of_scipy(values: list[float]) -> None:
    logs = [math.log(value) for value in values]
    cut = int(0.2 * len(logs))
    winsorized = stats.mstats.winsorize(np.array(logs), (cut / len(logs) + 1e-9,) * 2)
    assert windows(values).squares == pytest.approx(float(winsorized.var()) * len(logs), abs=1e-9)


@given(
    st.lists(st.floats(0.5, 2), min_size=2, max_size=8),
    st.lists(st.floats(0.5, 2), min_size=2, max_size=8),
)
def test_without_a_prior_it_is_the_t_test_of_process_locations(
    before: list[float], after: list[float]
) -> None:
    sides = [side([[[value] for value in values]]) for values in (before, after)]
    logs = [[math.log(value) for value in values] for values in (before, after)]
    assume(all(statistics.variance(values) > 1e-6 for values in logs))
    found = contrast(*sides, NO_PRIOR, same_session=True, same_cards=True)
    expected = stats.ttest_ind(logs[1], logs[0], alternative="greater").pvalue
    assert above(found.candidate - found.baseline, *found.error()) == pytest.approx(
        expected, rel=1e-4
    )


def test_trimmed_windows_decide_as_yuen_does(seeded: Callable[[int], random.Random]) -> None:
    chance = seeded(3)
    samples = [[math.exp(chance.gauss(mean, 0.1)) for _ in range(15)] for mean in (0.0, 0.1)]
    sides = [side([[values]]) for values in samples]
    prior = NO_PRIOR.model_copy(update={"process_df": 1e9})
    found = contrast(*sides, prior, same_session=True, same_cards=True)
    logs = [[math.log(value) for value in values] for values in samples]
    expected = stats.ttest_ind(logs[1], logs[0], trim=0.2)
    change = found.candidate - found.baseline
    assert change / found.error()[0] == pytest.approx(expected.statistic, rel=1e-6)


def test_a_variance_is_moderated_as_smyth_says() -> None:
    prior = MEASURED.model_copy(update={"window_sd": 1e-9, "window_df": 1e9})
    logs = [0.0, 0.05, -0.02]
    sides = [side([[[math.exp(log)] for log in logs]]), side([[[1.0]]])]
    found = contrast(*sides, prior, same_session=True, same_cards=True)
    error, df = found.error()
    posterior = (4 * prior.process_sd**2 + 2 * statistics.variance(logs)) / 6
    assert error**2 == pytest.approx(posterior * (1 / 3 + 1), rel=1e-6)
    assert df == pytest.approx(6, rel=1e-6)


def test_sessions_count_in_every_comparison_with_a_stored_baseline() -> None:
    one = side([[[0.4] * 5] * 50])
    error, _ = contrast(one, one, MEASURED, same_session=False, same_cards=True).error()
    within, _ = contrast(one, one, MEASURED, same_session=True, same_cards=True).error()
    assert error > math.sqrt(2) * MEASURED.session_sd
    assert within < 0.002


def test_a_history_of_sessions_overrules_the_allowance(
    seeded: Callable[[int], random.Random],
) -> None:
    chance = seeded(5)
    quiet, restless = (
        side([[[math.exp(session)] * 5] * 4 for session in sessions])
        for sessions in ([0.0] * 40, [chance.gauss(0, 0.05) for _ in range(40)])
    )
    now = side([[[1.0] * 5] * 4])
    allowed = contrast(side([[[1.0] * 5] * 4]), now, MEASURED, same_session=False, same_cards=True)
    errors = [
        contrast(history, now, MEASURED, same_session=False, same_cards=True).error()[0]
        for history in (quiet, restless)
    ]
    assert errors[0] < allowed.error()[0] < errors[1]
    assert allowed.terms[1].assumed_sd == pytest.approx(0.01)


def test_sessions_that_only_differ_by_their_processes_are_not_called_restless(
    seeded: Callable[[int], random.Random],
) -> None:
    chance = seeded(6)
    history = side([[[math.exp(chance.gauss(0, 0.02))] for _ in range(2)] for _ in range(60)])
    found = contrast(history, side([[[1.0]]]), MEASURED, same_session=False, same_cards=True)
    assert found.terms[1].source == "sessions"
    assert found.terms[1].candidate < 1.1 * MEASURED.session_sd**2


def test_processes_of_all_sessions_average_out() -> None:
    history, now = side([[[1.0]] * 5] * 4), side([[[1.0]] * 2])
    found = contrast(history, now, MEASURED, same_session=False, same_cards=True)
    processes, sessions = found.terms
    assert processes.candidate / processes.baseline == pytest.approx(20 / 2)
    assert sessions.candidate / sessions.baseline == pytest.approx(4)


def test_an_absolute_bound_takes_over_its_share_of_the_baselines_noise() -> None:
    found = contrast(side([[[0.4]]]), side([[[0.4]]]), MEASURED, same_session=True, same_cards=True)
    (term,) = found.terms
    assert found.error(0.5)[0] ** 2 == pytest.approx(term.candidate + term.baseline / 4)


@given(st.floats(-3, 3), st.sampled_from(["5%", "+20mJ", "+0.4J", "150%", "5%,0.01J"]))
def test_a_bound_moves_with_the_baseline_as_it_says(log: float, tolerance: str) -> None:
    rule = parse_rule(f"energy_j:{tolerance}")
    around = np.array([log - 1e-6, log + 1e-6])
    for sign in (-1, 1):
        for logs, gains in bounds(rule, around, sign):
            if np.isfinite(logs).all() and gains[0] < 100:
                assert (logs[1] - logs[0]) / 2e-6 == pytest.approx(gains[0], rel=1e-2)


@given(st.floats(-3, 3), st.floats(0, 0.9), st.floats(0, 5), st.sampled_from([-1, 1]))
def test_a_bound_is_the_value_that_the_tolerance_says(
    log: float, relative: float, absolute: float, sign: int
) -> None:
    rule = parse_rule(f"energy_j:{100 * relative:.6f}%,{absolute:.6f}J")
    assert rule.relative is not None
    assert rule.absolute is not None
    value = math.exp(log)
    (one, _), (other, _) = bounds(rule, np.array([log]), sign)
    assert math.exp(one[0]) == pytest.approx(value * (1 + sign * rule.relative))
    reached = value + sign * rule.absolute
    assert math.exp(other[0]) == pytest.approx(max(0.0, reached), abs=1e-9)


def test_a_limit_is_known_exactly_and_the_same_on_any_day() -> None:
    now = side([[[0.4] * 5] * 4])
    limits = {
        text: Comparison(
            "one", "workload", parse_rule(text), "measured", side([[[0.5]]]), now, same_session=True
        )
        for text in ("energy_j:<=0.5J", "energy_j:0%")
    }
    found = []
    for one in limits.values():
        family = Family(processes_of([one]), Priors.of([MEASURED]))
        noise = family.noise()
        own = (noise.expected, noise.expected_df)
        found.append(family.contrasts(noise, own, np.array([True])))
    limit, baseline = (one.terms[0] for one in found)
    assert limit.baseline[0] == 0
    assert baseline.baseline[0] > 0
    assert all(term.candidate[0] == 0 for term in found[0].terms[1:])
    assert found[0].error()[0][0] ** 2 == pytest.approx(limit.candidate[0])


def test_another_card_widens_the_interval() -> None:
    one = side([[[0.4] * 5]])
    same, other = (
        contrast(one, one, MEASURED, same_session=False, same_cards=same).error()[0]
        for same in (True, False)
    )
    assert other**2 - same**2 == pytest.approx(2 * MEASURED.card_sd**2)


def test_restless_windows_widen_an_estimate_beyond_themselves() -> None:
    calm, restless = (
        side([[[math.exp(sd * step) for step in (-1, 1, -1, 1, 0)]]]) for sd in (0.01, 0.2)
    )
    errors = {
        (profile, shown): contrast(
            shown, shown, prior, same_session=False, same_cards=True
        ).error()[0]
        for profile, prior in (("measured", MEASURED), ("estimated", ESTIMATED))
        for shown in (calm, restless)
    }
    assert errors["estimated", restless] > 3 * errors["estimated", calm]
    assert errors["estimated", restless] > 2 * errors["measured", restless]


def test_a_stated_standard_error_of_a_phase_counts() -> None:
    plain, stated = (Side(((Sample((0.3,), standard_error=error),),)) for error in (None, 0.1))
    errors = [
        contrast(shown, shown, MEASURED, same_session=True, same_cards=True).error()[0]
        for shown in (plain, stated)
    ]
    assert errors[0] < 0.03
    assert errors[1] > math.sqrt(2) * 0.1


@given(SESSIONS, SESSIONS, st.floats(0.001, 1000))
def test_units_do_not_matter(
    make_comparison: Callable[..., Comparison],
    before: list[list[list[float]]],
    after: list[list[list[float]]],
    factor: float,
) -> None:
    one, other = (
        judge([make_comparison(side(before, scale), side(after, scale))])[0]
        for scale in (1.0, factor)
    )
    assert other.change == pytest.approx(one.change, rel=1e-6, abs=1e-9)
    assert other.interval == pytest.approx(one.interval, rel=1e-6, abs=1e-9)


@given(SESSIONS, SESSIONS)
def test_exchanging_the_sides_turns_the_change_around(
    before: list[list[list[float]]], after: list[list[list[float]]]
) -> None:
    there, back = (
        contrast(*sides, MEASURED, same_session=False, same_cards=False)
        for sides in ((side(before), side(after)), (side(after), side(before)))
    )
    assert there.candidate - there.baseline == pytest.approx(back.baseline - back.candidate)
    assert there.error() == pytest.approx(back.error())


@given(SESSIONS, st.randoms(use_true_random=False))
def test_the_order_of_windows_and_processes_does_not_matter(
    sessions: list[list[list[float]]], chance: random.Random
) -> None:
    before = location(side(sessions))
    for session in sessions:
        for process in session:
            chance.shuffle(process)
        chance.shuffle(session)
    chance.shuffle(sessions)
    assert location(side(sessions)) == pytest.approx(before, abs=1e-9)


@pytest.mark.parametrize("df", [3.0, 11.4, 200.0])
def test_probabilities_are_those_of_students_t(df: float) -> None:
    assert quantile(0.95, df) == pytest.approx(stats.t.ppf(0.95, df))
    assert above(0.2, 0.01, df) == pytest.approx(stats.t.sf(20, df), rel=1e-9)
    assert above(-math.inf, 0.01, df) == 1


def anchored(logs: list[float], anchors: list[float], error: float = 0.002) -> Side:
    """One session a value, of ten processes that all lie there."""
    some = tuple(tuple(Sample((math.exp(log),) * 5) for _ in range(10)) for log in logs)
    return Side(some, tuple(Anchor(log, error) for log in anchors))


def test_anchors_take_off_what_the_session_moved() -> None:
    before, now = anchored([0.0], [1.0]), anchored([0.03], [1.02])
    found = contrast(before, now, MEASURED, same_session=False, same_cards=True)
    assert found.candidate - found.baseline == pytest.approx(0.01)
    assert found.moved == pytest.approx(0.02)
    sources = {part.source: part for part in found.terms}
    assert sources["anchors"].candidate == pytest.approx(0.002**2)
    assert sources["sessions"].candidate == pytest.approx(MEASURED.anchored_sd**2)


def test_without_anchors_on_both_sides_none_are_used() -> None:
    bare = Side(anchored([0.0], [1.0]).sessions)
    found = contrast(bare, anchored([0.03], [1.02]), MEASURED, same_session=False, same_cards=True)
    assert found.candidate - found.baseline == pytest.approx(0.03)
    assert found.terms[1].candidate == pytest.approx(MEASURED.session_sd**2)


def test_anchors_that_do_not_explain_the_history_are_left_out() -> None:
    still = [0.0, 0.001, -0.001, 0.0005] * 5
    wild = [0.05 * (-1) ** number for number in range(20)]
    found = contrast(
        anchored(still, wild),
        anchored([0.0], [0.05]),
        MEASURED,
        same_session=False,
        same_cards=True,
    )
    assert found.moved == 0
    assert found.candidate - found.baseline == pytest.approx(0.0, abs=0.001)


def test_interleaved_sides_need_no_anchors() -> None:
    before, now = anchored([0.0], [1.0]), anchored([0.03], [1.02])
    found = contrast(before, now, MEASURED, same_session=True, same_cards=True)
    assert [part.source for part in found.terms] == ["processes"]
    assert found.candidate - found.baseline == pytest.approx(0.03)
