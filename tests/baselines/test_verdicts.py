"""The verdict on simulated nested noise: what is promised, and what is found."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.rules import informational_rule
from pytest_llem.baselines.samples import Sample, Side

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.verdict import Judgement

    MakeComparison = Callable[..., Comparison]
    MakeSide = Callable[..., Side]

LOWER = "energy_per_output_token_j"
HIGHER = "output_tokens_per_s"


@pytest.fixture
def family(make_comparison: MakeComparison, make_side: MakeSide) -> Callable[..., list[Judgement]]:
    """Judge a family of experiments that all changed by the same."""

    def judged(
        chance: random.Random,
        size: int,
        change: float,
        rule: str = f"{LOWER}:5%",
        processes: tuple[int, int] = (1, 1),
        **noise: float,
    ) -> list[Judgement]:
        return judge(
            [
                make_comparison(
                    make_side(chance, processes[0], **noise),
                    make_side(chance, processes[1], change, **noise),
                    rule,
                    experiment=str(number),
                )
                for number in range(size)
            ]
        )

    return judged


def exactly(*values: float) -> Side:
    return Side(sessions=(tuple(Sample((value,) * 5) for value in values),))


@pytest.mark.parametrize("processes", [(1, 1), (5, 1), (5, 5)])
def test_the_same_thing_again_never_fails(
    family: Callable[..., list[Judgement]],
    seeded: Callable[[int], random.Random],
    processes: tuple[int, int],
) -> None:
    chance = seeded(11)
    verdicts: Counter[str] = Counter()
    for _ in range(300):
        verdicts.update(made.verdict for made in family(chance, 1, 0.0, processes=processes))
    assert verdicts["regressed"] == 0
    assert verdicts["improved"] == 0
    if processes == (5, 5):
        assert verdicts["pass"] > 270


@pytest.mark.parametrize(
    ("change", "processes", "sessions"),
    [
        (0.05, (1, 1), 0.005),
        (0.02, (5, 5), 0.005),
        (0.02, (8, 3), 0.01),
        (-0.05, (1, 1), 0.01),
    ],
)
def test_a_family_at_its_tolerance_rarely_has_any_failure(
    family: Callable[..., list[Judgement]],
    seeded: Callable[[int], random.Random],
    change: float,
    processes: tuple[int, int],
    sessions: float,
) -> None:
    chance = seeded(12)
    rule = f"{LOWER if change > 0 else HIGHER}:{abs(change):.0%}"
    failures = 0
    passes = 0
    for _ in range(60):
        made = family(chance, 20, change, rule, processes, sessions=sessions)
        failures += any(one.verdict == "regressed" for one in made)
        passes += sum(one.verdict in {"pass", "improved"} for one in made)
    assert failures <= 2  # of 60; 1 % is promised
    assert passes <= 0.06 * 60 * 20  # 5 % is promised


@pytest.mark.parametrize(
    ("rule", "change", "verdict"),
    [
        (f"{LOWER}:5%", 0.2, "regressed"),
        (f"{LOWER}:5%", -0.2, "improved"),
        (f"{HIGHER}:5%", -0.2, "regressed"),
        (f"{HIGHER}:5%", 0.2, "improved"),
        ("ttft_s:+20ms", 0.2, "regressed"),
        ("ttft_s:+20ms", -0.2, "improved"),
        (f"{LOWER}:5%,0.02J", 0.2, "regressed"),
    ],
)
def test_a_fifth_is_found_with_one_process_a_side_in_a_family_of_twenty(
    family: Callable[..., list[Judgement]],
    seeded: Callable[[int], random.Random],
    rule: str,
    change: float,
    verdict: str,
) -> None:
    chance = seeded(13)
    found = Counter(made.verdict for _ in range(10) for made in family(chance, 20, change, rule))
    assert found[verdict] >= 190


def test_repeats_show_less_than_one_process_does(
    family: Callable[..., list[Judgement]], seeded: Callable[[int], random.Random]
) -> None:
    one, five = (
        family(seeded(14), 1, 0.0, processes=processes)[0].minimum_detectable_change
        for processes in ((1, 1), (5, 5))
    )
    assert one is not None
    assert five is not None
    assert 0.05 < five < one < 0.2


def test_the_minimum_detectable_change_is_found_as_often_as_stated(
    family: Callable[..., list[Judgement]], seeded: Callable[[int], random.Random]
) -> None:
    chance = seeded(15)
    stated = family(chance, 1, 0.0, processes=(5, 5))[0].minimum_detectable_change
    assert stated is not None
    found = [
        family(chance, 1, stated, processes=(5, 5), sessions=0.01)[0].verdict for _ in range(200)
    ]
    assert 0.7 < found.count("regressed") / 200 < 0.95


def test_the_interval_covers_the_change_as_often_as_stated(
    family: Callable[..., list[Judgement]], seeded: Callable[[int], random.Random]
) -> None:
    chance = seeded(16)
    covered = 0
    for _ in range(400):
        (made,) = family(chance, 1, 0.08, processes=(3, 3), sessions=0.01)
        assert made.interval is not None
        covered += made.interval[0] <= 0.08 <= made.interval[1]
    assert covered / 400 > 0.88  # 90 % is stated


@pytest.mark.parametrize(
    ("rule", "ratio", "verdict"),
    [
        ("energy_j:10%", 1.00, "pass"),
        ("energy_j:10%", 1.10, "inconclusive"),
        ("energy_j:10%", 1.30, "regressed"),
        ("energy_j:10%", 0.70, "improved"),
        ("energy_j:10%", 0.90, "pass"),
        ("energy_j:+40mJ", 1.00, "pass"),
        ("energy_j:+40mJ", 1.30, "regressed"),
        ("energy_j:+40mJ", 0.70, "improved"),
        ("energy_j:+400J", 9.00, "pass"),
        ("energy_j:+400J", 0.01, "pass"),  # nothing can be better by more than all of it
        ("energy_j:10%,100J", 1.30, "pass"),  # exceeds the relative, not the absolute
        ("energy_j:100%,0.01J", 1.30, "pass"),  # exceeds the absolute, not the relative
        ("energy_j:10%,0.01J", 1.30, "regressed"),
        ("energy_j:10%,0.01J", 0.70, "improved"),
        ("energy_j:10%,0.2J", 0.70, "pass"),
        ("energy_j:150%", 0.1, "pass"),
        ("energy_j:0%", 1.3, "regressed"),
        ("energy_j:0%", 0.7, "improved"),
        ("output_tokens_per_s:10%", 0.70, "regressed"),
        ("output_tokens_per_s:10%", 1.30, "improved"),
        ("output_tokens_per_s:+0.04", 0.70, "regressed"),
        ("output_tokens_per_s:+9", 0.01, "pass"),
    ],
)
def test_verdicts_of_clear_cases(
    make_comparison: MakeComparison, rule: str, ratio: float, verdict: str
) -> None:
    before, after = exactly(0.4, 0.4, 0.4), exactly(*[0.4 * ratio] * 3)
    (made,) = judge([make_comparison(before, after, rule)])
    assert made.verdict == verdict
    assert made.change == pytest.approx(ratio - 1)
    assert made.candidate == pytest.approx(0.4 * ratio)
    assert made.baseline == pytest.approx(0.4)
    assert made.tolerance == rule.partition(":")[2]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (exactly(0.4), exactly(0.0), "this run has 0, of which no ratio can be taken"),
        (exactly(0.4), exactly(-0.1), "5 of 5 values of this run are zero or less"),
        (exactly(0.4), exactly(-0.1, 0.4), "5 of 10 values of this run are zero or less"),
        (exactly(0.0), exactly(0.4), "the baseline has 0, of which no ratio can be taken"),
        (exactly(0.4), exactly(math.nan, 0.4), "5 of 10 values of this run are zero or less"),
        (exactly(0.4), Side(()), "this run has no value"),
        (exactly(0.4), Side(((Sample((0.4,)),), ())), "this run has no value"),
        (exactly(0.4), Side(((Sample((0.4,)), Sample(())),)), "this run has no value"),
        (Side(()), exactly(0.4), "the baseline has no value"),
    ],
)
def test_what_has_no_ratio_is_not_compared(
    make_comparison: MakeComparison, before: Side, after: Side, said: str
) -> None:
    (made,) = judge([make_comparison(before, after)])
    assert made.verdict == "incomparable"
    assert said in made.explanation
    assert made.change is None
    assert made.interval is None
    assert made.minimum_detectable_change is None


def test_samples_without_any_spread_still_leave_a_doubt(make_comparison: MakeComparison) -> None:
    (made,) = judge([make_comparison(exactly(0.4), exactly(0.4))])
    assert made.interval is not None
    assert -0.1 < made.interval[0] < -0.01
    assert 0.01 < made.interval[1] < 0.1


def test_without_a_baseline_it_is_new(make_comparison: MakeComparison) -> None:
    (made,) = judge([make_comparison(None, exactly(0.4))])
    assert made.verdict == "new"
    assert made.candidate == pytest.approx(0.4)
    assert made.baseline is None
    assert not made.failed(strict=False)
    assert made.failed(strict=True)


def test_what_must_not_differ_is_said(make_comparison: MakeComparison) -> None:
    comparison = make_comparison(exactly(0.4), exactly(4.0), refuse=("scope gpu → node",))
    (made,) = judge([comparison])
    assert made.verdict == "incomparable"
    assert "scope gpu → node" in made.explanation
    assert made.change is None


def test_information_never_fails_and_takes_no_part_in_the_family(
    make_comparison: MakeComparison,
) -> None:
    shown = [
        make_comparison(exactly(0.4), exactly(0.8), rule="energy_j:5%", experiment=str(number))
        for number in range(50)
    ]
    informational = informational_rule("energy_j")
    free = [
        make_comparison(one.baseline, one.candidate, experiment=one.experiment) for one in shown
    ]
    with_information = [
        type(one)(
            experiment=one.experiment,
            measurement=one.measurement,
            rule=informational,
            profile=one.profile,
            baseline=one.baseline,
            candidate=one.candidate,
        )
        for one in free
    ]
    gated = make_comparison(exactly(0.4), exactly(0.462), experiment="gated")
    *information, made = judge([*with_information, gated])
    assert made == judge([gated])[0]
    assert {one.verdict for one in information} == {"regressed"}
    assert not any(one.failed(strict=True) for one in information)


def test_several_sessions_of_history_are_all_used(make_comparison: MakeComparison) -> None:
    history = Side(sessions=tuple(exactly(value).sessions[0] for value in (0.38, 0.4, 0.42)))
    (made,) = judge([make_comparison(history, exactly(0.4))])
    assert made.change == pytest.approx(0.0, abs=0.002)
    assert "1 process against 3 of 3 sessions" in made.explanation
