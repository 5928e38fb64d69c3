"""Figures that tests record, judged against limits and baselines."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llem.baselines.catalogue import catalogue, changes, known_metrics
from pytest_llem.baselines.comparing import compare
from pytest_llem.baselines.helper import judge_in_helper
from pytest_llem.baselines.history import histories
from pytest_llem.baselines.judging import judge
from pytest_llem.baselines.looks import plan_looks
from pytest_llem.baselines.recorded.assessing import assess_recorded, mean_of
from pytest_llem.baselines.rules import parse_rule, parse_rules
from pytest_llem.baselines.samples import Sample, Side, recorded_sample
from pytest_llem.baselines.store import BaselineStore, How
from pytest_llem.measure.recording import recording
from pytest_llem.reports.baselines import diff_lines, show_lines
from pytest_llem.reports.history import history_lines
from pytest_llem.results.schema import DeviceFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_llem.baselines.comparison import Comparison
    from pytest_llem.baselines.verdict import Judgement
    from pytest_llem.results.schema import ExperimentResult

    MakeResult = Callable[..., ExperimentResult]
    MakeEnvironment = Callable[..., dict[str, Any]]
    Judged = Callable[..., list[Judgement]]

HITS_70 = [number < 70 for number in range(100)]


@pytest.fixture
def judged(tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment) -> Judged:
    """Judge what processes record against a baseline of what others recorded."""

    def judged(
        before: Sequence[Any], now: Sequence[Any], *gates: str, name: str = "accuracy", **how: Any
    ) -> list[Judgement]:
        store = BaselineStore(tmp_path)
        sides = [
            [
                make_result(repeat=repeat, recorded=(recording(name, value, **how),))
                for repeat, value in enumerate(side)
            ]
            for side in (before, now)
        ]
        if before:
            store.update(sides[0], make_environment())
        environment = make_environment()
        entry = store.find(sides[1][0], environment)
        return judge(compare(sides[1], entry, parse_rules(gates), environment))

    return judged


@pytest.mark.parametrize(
    ("value", "gate", "verdict"),
    [
        (0.71, "quality.accuracy:>=0.7", "pass"),
        (0.7, "quality.accuracy:>=70%", "pass"),
        (0.69, "quality.accuracy:>=0.7", "regressed"),
        (0.0, "quality.accuracy:>=0.7", "regressed"),
        (1.0, "quality.accuracy:>=1", "pass"),
        (0.0, "quality.errors:<=0", "pass"),
        (1.0, "quality.errors:<=0", "regressed"),
        (-3.2, "quality.log_likelihood:>=-4", "pass"),
        (-4.2, "quality.log_likelihood:>=-4", "regressed"),
        ([True] * 95 + [False] * 5, "quality.accuracy:>=0.7", "pass"),
        ([True] * 40 + [False] * 60, "quality.accuracy:>=0.7", "regressed"),
        (HITS_70, "quality.accuracy:>=0.7", "inconclusive"),
        ([True] * 5, "quality.accuracy:>=0.7", "inconclusive"),
        ([True] * 5, "quality.accuracy:>=1", "pass"),
        ([True] * 4 + [False], "quality.accuracy:>=1", "regressed"),
        ([False] * 9, "quality.errors:<=0", "pass"),
        ([2.0, 3.0, 2.5, 2.2] * 20, "quality.score:>=2", "pass"),
        ([2.0, 3.0, 2.5, 2.2] * 20, "quality.score:>=3", "regressed"),
    ],
)
def test_a_limit_stands_alone(judged: Judged, value: Any, gate: str, verdict: str) -> None:
    name = gate.removeprefix("quality.").partition(":")[0]
    (made,) = judged([], [value], gate, name=name)
    assert made.verdict == verdict, made.explanation
    assert made.is_limit


@pytest.mark.parametrize(
    ("before", "now", "gate", "verdict"),
    [
        (0.70, 0.70, "quality.accuracy:1%", "pass"),
        (2 / 3, 2 / 3, "quality.accuracy:0%", "pass"),
        (0.70, 0.695, "quality.accuracy:1%", "pass"),
        (0.70, 0.69, "quality.accuracy:1%", "regressed"),
        (0.70, 0.0, "quality.accuracy:1%", "regressed"),
        (0.70, 0.72, "quality.accuracy:1%", "improved"),
        (0.70, 0.69, "quality.accuracy:+0.02", "pass"),
        (0.70, 0.69, "quality.accuracy:1%+0.02", "pass"),
        (0.70, 0.67, "quality.accuracy:1%+0.02", "regressed"),
        (0.70, 0.72, "quality.accuracy:1%,lower", "regressed"),
        (0.0, 0.0, "quality.accuracy:1%", "pass"),
        (0.0, -0.1, "quality.accuracy:1%", "regressed"),
        (-4.0, -4.5, "quality.accuracy:10%", "regressed"),
        (-4.0, -4.3, "quality.accuracy:10%", "pass"),
        (HITS_70, [False] * 60 + [True] * 40, "quality.accuracy:1%", "regressed"),
        (HITS_70, HITS_70, "quality.accuracy:1%", "inconclusive"),
        (HITS_70, HITS_70, "quality.accuracy:+0.3", "pass"),
    ],
)
def test_a_tolerance_is_about_the_change_from_the_baseline(
    judged: Judged, before: Any, now: Any, gate: str, verdict: str
) -> None:
    (made,) = judged([before], [now], gate)
    assert made.verdict == verdict, made.explanation
    assert made.baseline == pytest.approx(
        sum(before) / len(before) if isinstance(before, list) else before, rel=1e-5
    )


def test_without_a_baseline_a_tolerance_is_new(judged: Judged) -> None:
    (made,) = judged([], [0.0], "quality.accuracy:1%")
    assert (made.verdict, made.candidate) == ("new", 0.0)
    assert made.explanation.startswith("0; no baseline yet")


def test_the_direction_of_what_is_better_when_lower(judged: Judged) -> None:
    (worse,) = judged([12.0], [13.0], "quality.perplexity:5%", name="perplexity")
    assert worse.verdict == "regressed"
    assert "lower is better" in worse.explanation


def test_an_explanation_is_one_line_of_what_was_compared(judged: Judged) -> None:
    (one,) = judged([HITS_70], [HITS_70[2:] + [False] * 2], "quality.accuracy:1%")
    assert one.explanation == (
        "0.7 → 0.68, -0.02 [-0.1268, +0.08685] at tolerance 1 %, higher is better; "
        "1 process against 1; 100 items a process, 90 % interval; could have shown -30.3 %"
    )
    (limit,) = judged([], [0.69], "quality.accuracy:>=0.7")
    assert limit.explanation == "0.69 against the limit >=0.7; 1 process; taken as exact"


@pytest.mark.parametrize(
    ("now", "how", "gate", "said"),
    [
        (
            0.7,
            {},
            "quality.acuracy:>=0.7",
            "this run recorded accuracy; energy.record('acuracy', …)",
        ),
        (0.7, {"unit": "%"}, "quality.accuracy:1%", "unit none → %"),
        (70.0, {"unit": "%"}, "quality.accuracy:>=200ms", "is in ms, and it is recorded in %"),
        (0.7, {}, "quality.accuracy:>=200ms", "is in ms, and it is recorded without a unit"),
        (HITS_70, {}, "quality.accuracy:>=70", "is no share: write it from 0 to 1, or in percent"),
        (0.7, {}, "quality.accuracy:150%", "tolerates that it falls by all of its value"),
    ],
)
def test_what_cannot_be_judged_says_why(
    judged: Judged, now: Any, how: dict[str, Any], gate: str, said: str
) -> None:
    judged([0.7], [0.7], "quality.accuracy:1%")  # stores a baseline
    (made,) = judged([], [now], gate, **how)
    assert made.verdict == "incomparable"
    assert said in made.explanation


def test_nobody_says_what_is_better(judged: Judged) -> None:
    (made,) = judged([1.0], [1.0], "quality.length:5%", name="length")
    assert made.verdict == "incomparable"
    assert "write quality.length:5%,higher or quality.length:5%,lower" in made.explanation
    (made,) = judged([1.0], [1.2], "quality.length:5%,lower", name="length")
    assert made.verdict == "regressed"
    (made,) = judged([1.0], [1.2], "quality.length:<=2", name="length")
    assert made.verdict == "pass"


@pytest.mark.parametrize(
    ("value", "unit", "gate"),
    [
        (0.25, "s", "quality.latency:<=300ms"),
        (250.0, "ms", "quality.latency:<=0.3s"),
        (250.0, "ms", "quality.latency:<=300"),
        (70.0, "%", "quality.score:>=69%"),
        (3.0, "J/answer", "quality.cost:<=4J/answer"),
    ],
)
def test_limits_are_in_any_unit_of_the_kind(
    judged: Judged, value: float, unit: str, gate: str
) -> None:
    name = gate.removeprefix("quality.").partition(":")[0]
    (made,) = judged([], [value], gate, name=name, unit=unit)
    assert made.verdict == "pass", made.explanation


def test_every_process_has_to_record_it(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    results = [
        make_result(repeat=0, recorded=(recording("accuracy", 0.7),)),
        make_result(repeat=1),
    ]
    (made,) = judge(compare(results, None, parse_rules(["quality.accuracy:>=0.7"]), {}))
    assert made.verdict == "incomparable"
    assert "1 of 2 processes recorded it" in made.explanation


def test_a_limit_needs_no_energy_and_a_tolerance_says_that_it_does(
    make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    figures = (recording("accuracy", 0.6),)
    nothing = make_result(recorded=figures).model_copy(
        update={"measurements": (), "measurement_methodology": None}
    )
    gates = ["quality.accuracy:>=0.7", "quality.accuracy:1%"]
    floor, change = judge(compare([nothing], None, parse_rules(gates), make_environment()))
    assert floor.verdict == "regressed"
    assert change.verdict == "incomparable"
    assert "nothing was measured" in change.explanation
    invalid = make_result(recorded=figures, measured={"valid": False, "warnings": ("throttled",)})
    floor, change = judge(compare([invalid], None, parse_rules(gates), make_environment()))
    assert (floor.verdict, change.verdict) == ("regressed", "incomparable")
    failed = make_result(recorded=figures, outcome="failed")
    floor, _ = judge(compare([failed], None, parse_rules(gates), make_environment()))
    assert floor.verdict == "incomparable"


def test_another_meter_or_power_limit_is_no_matter_to_quality(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store, environment = BaselineStore(tmp_path), make_environment()
    figures = (recording("accuracy", 0.7),)
    store.update([make_result(recorded=figures)], environment)
    card = DeviceFacts(uuid="GPU-a", name="NVIDIA H100 80GB HBM3", index=0, power_limit_w=400.0)
    now = make_result(recorded=figures, methodology={"devices": (card,), "meter": "zeus"})
    rules = parse_rules(["quality.accuracy:1%", "energy_j:5%"])
    quality, energy = judge(compare([now], store.find(now, environment), rules, environment))
    assert (quality.verdict, energy.verdict) == ("pass", "incomparable")


def test_a_faster_and_wrong_model_fails(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store, environment = BaselineStore(tmp_path), make_environment()
    store.update([make_result((0.4,) * 5, recorded=(recording("accuracy", HITS_70),))], environment)
    wrong = recording("accuracy", [number < 30 for number in range(100)])
    now = make_result((0.2,) * 5, recorded=(wrong,))
    rules = parse_rules(["energy_per_output_token_j:5%", "quality.accuracy:5%"])
    energy, quality = judge_in_helper(
        compare([now], store.find(now, environment), rules, environment)
    )
    assert (energy.verdict, quality.verdict) == ("improved", "regressed")
    assert quality.failed(strict=False)


def side(*values: float, **known: Any) -> Side:
    return Side(sessions=(tuple(Sample((value,), **known) for value in values),))


def compared(
    make_comparison: Callable[..., Comparison], before: Side, now: Side, rule: str
) -> Comparison:
    return make_comparison(before, now, f"quality.accuracy:{rule},higher")


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_processes_are_the_unit_and_their_order_says_nothing(
    make_comparison: Callable[..., Comparison], data: st.DataObject
) -> None:
    values = st.lists(st.floats(min_value=-5, max_value=5), min_size=1, max_size=6)
    before, now = data.draw(values), data.draw(values)
    one = assess_recorded(compared(make_comparison, side(*before), side(*now), "+0.1"))
    shuffled = data.draw(st.permutations(now))
    other = assess_recorded(compared(make_comparison, side(*before), side(*shuffled), "+0.1"))
    for name in ("difference", "p_worse", "p_within", "p_better"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-9)
    assert one.candidate == pytest.approx(mean_of(side(*now)))
    assert one.p_worse + one.p_within == pytest.approx(1.0)


@given(st.integers(2, 200), st.integers(1, 8))
@settings(deadline=None, max_examples=40)
def test_more_processes_over_the_same_items_are_no_surer(
    make_comparison: Callable[..., Comparison], items: int, processes: int
) -> None:
    known = {"standard_error": 0.1, "items": items}
    alone = assess_recorded(
        compared(make_comparison, side(1.0, **known), side(0.9, **known), "+0.05")
    )
    many = [0.9] * processes
    several = assess_recorded(
        compared(make_comparison, side(1.0, **known), side(*many, **known), "+0.05")
    )
    assert several.error == pytest.approx(alone.error)


def test_sessions_that_differ_are_counted(make_comparison: Callable[..., Comparison]) -> None:
    sessions = Side(sessions=tuple((Sample((value,)),) for value in (0.68, 0.70, 0.72)))
    now = side(0.66)
    spread = assess_recorded(compared(make_comparison, sessions, now, "1%"))
    exact = assess_recorded(compared(make_comparison, side(0.70), now, "1%"))
    assert exact.p_worse == 0.0
    assert spread.p_worse > 0.05


@pytest.mark.parametrize("items", [5, 20, 100, 1000])
def test_a_share_at_its_limit_is_called_worse_as_rarely_as_promised(
    make_comparison: Callable[..., Comparison], items: int
) -> None:
    """The chance of the binomial distribution itself, not of a simulation."""
    from scipy.stats import binom

    limit, level = 0.7, 0.01
    false = 0.0
    for right in range(items + 1):
        rule = parse_rule(f"quality.accuracy:>={limit}")
        one = make_comparison(
            side(limit), side(right / items, items=items, share=True), str(rule), same_session=True
        )
        if assess_recorded(one).p_worse <= level:
            false += float(binom.pmf(right, items, limit))
    assert false <= level * (1 + 1e-9)


def test_two_shares_that_are_alike_are_rarely_called_different(
    make_comparison: Callable[..., Comparison],
) -> None:
    rng = random.Random(7)  # noqa: S311 - a simulation
    alarms = 0
    for _ in range(2000):
        rights = [sum(rng.random() < 0.7 for _ in range(100)) for _ in range(2)]
        sides = [
            Side(
                sessions=(
                    (recorded_sample(recording("accuracy", [1] * right + [0] * (100 - right))),),
                )
            )
            for right in rights
        ]
        alarms += assess_recorded(compared(make_comparison, *sides, "0%")).p_worse <= 0.01
    assert alarms <= 35  # 20 are expected at most, with a standard deviation of 4.5


def test_looking_again_does_not_add_to_the_error(
    make_comparison: Callable[..., Comparison],
) -> None:
    values = (0.7, 0.7, 0.7, 0.7, 0.1, 0.1)
    one = make_comparison(side(0.5), side(*values), "quality.accuracy:>=0.5", same_session=True)
    (made,) = judge([one], looks=plan_looks(4, 8))
    assert made.candidate == pytest.approx(0.7)
    assert made.verdict == "pass"
    assert not made.undecided


def test_baselines_keep_it_and_show_its_history(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store, environment = BaselineStore(tmp_path), make_environment()
    for number, value in enumerate((0.0, 0.5, 0.25)):
        result = make_result(run_id=f"run-{number}", recorded=(recording("accuracy", value),))
        store.update([result], environment, How("extend", extends=True))
    (one,) = catalogue(store)
    assert known_metrics(one, "workload")[-1] == "quality.accuracy"
    assert one.value("workload", "quality.accuracy") == pytest.approx(0.25)
    assert any("quality.accuracy" in line for line in show_lines(one))
    (history,) = histories([one], "quality.accuracy")
    assert [point.value for point in history.points] == [0.0, 0.5, 0.25]
    assert [point.change for point in history.points] == [None, None, pytest.approx(-0.5)]
    assert "-50.0 %" in "\n".join(history_lines(history))


def test_a_baseline_diff_shows_what_moved_of_it(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    sides = []
    for value in (0.0, 0.5):
        store = BaselineStore(tmp_path / str(value))
        store.update([make_result(recorded=(recording("accuracy", value),))], make_environment())
        sides.append(catalogue(store))
    (changed,) = changes(*sides)
    moved = {one.metric: (one.before, one.now, one.change) for one in changed.moved}
    assert moved["quality.accuracy"] == (0.0, 0.5, None)
    assert "0 → 0.5" in "\n".join(diff_lines([changed]))


def test_a_baseline_that_was_stored_before_still_loads(
    tmp_path: Path, make_result: MakeResult, make_environment: MakeEnvironment
) -> None:
    store, environment = BaselineStore(tmp_path), make_environment()
    store.update([make_result()], environment)
    (path,) = tmp_path.rglob("*.json")
    document = json.loads(path.read_text())
    (entry,) = document["entries"].values()
    (session,) = entry["sessions"]
    del session["fingerprint"]["beside"]
    for process in session["measurements"]["workload"]:
        del process["recorded"]
    path.write_text(json.dumps(document))
    now = make_result(recorded=(recording("accuracy", 0.7),))
    entry = BaselineStore(tmp_path).find(now, environment)
    rules = parse_rules(["quality.accuracy:1%", "energy_j:50%"])
    quality, energy = judge(compare([now], entry, rules, environment))
    assert (quality.verdict, energy.verdict) == ("incomparable", "pass")
    assert "quality.accuracy is unknown in the baseline" in quality.explanation
