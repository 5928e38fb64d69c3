"""What people write behind ``--llem-gate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_llem.baselines.metrics import METRICS
from pytest_llem.baselines.rules import parse_rule, parse_rules
from pytest_llem.energy.measured import Measured
from pytest_llem.errors import ConfigError
from pytest_llem.results.schema import ExperimentResult

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = {"J": ("J", "mJ", "kJ"), "s": ("s", "ms", "us", "µs"), "W": ("W", "mW", "kW")}
NUMBERS = st.floats(min_value=1e-6, max_value=99, allow_nan=False).map(lambda value: f"{value:.6f}")


@pytest.mark.parametrize(
    ("text", "relative", "absolute"),
    [
        ("energy_per_output_token_j:5%", 0.05, None),
        ("ttft_s:+20ms", None, 0.02),
        ("ttft_s:20us", None, 20e-6),
        ("output_tokens_per_s:3%", 0.03, None),
        ("output_tokens_per_s:2.5", None, 2.5),
        ("energy_per_output_token_j:5%,0.01J", 0.05, 0.01),
        ("energy_per_output_token_j:10mJ,+2.5 %", 0.025, 0.01),
        ("decode.energy_per_output_token_j: .5%", 0.005, None),
        ("power_w:1.5kW", None, 1500.0),
        ("duration_s:+1e-3", None, 1e-3),
        ("energy_j:150%", 1.5, None),
        ("energy_j:0%", 0.0, None),
        ("latencies.ttft.p99_s:+20ms", None, 0.02),
        ("traffic.goodput_per_s:5%+0.5", 0.05, 0.5),
        ("traffic.goodput_per_s:0.5/s", None, 0.5),
        ("traffic.goodput_share:+0.01", None, 0.01),
        ("prefill.energy_j:5% + 2mJ", 0.05, 0.002),
        ("total.energy_j:2mJ+5%", 0.05, 0.002),
        ("net_energy_j:+3J", None, 3.0),
    ],
)
def test_a_tolerance_is_relative_absolute_or_both(
    text: str, relative: float | None, absolute: float | None
) -> None:
    rule = parse_rule(text)
    assert rule.metric == text.partition(":")[0]
    assert rule.relative == (None if relative is None else pytest.approx(relative))
    assert rule.absolute == (None if absolute is None else pytest.approx(absolute))
    assert not rule.informational


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("energy_per_ouput_token_j:5%", "Did you mean 'energy_per_output_token_j'?"),
        ("decode.energy_per_token_j:5%", "Did you mean 'decode.energy_per_"),
        ("decod.ttft_s:5%", "Did you mean 'decode.ttft_s'?"),
        ("output_tokens:5%", "Did you mean 'output_tokens_per_s'?"),
        ("ttft_s", "has no tolerance"),
        ("ttft_s=5%", "has no colon behind its metric. Write it like"),
        ("ttft_s<=200ms", "has no colon behind its metric. Write it like"),
        ("ttft_s:", "has no tolerance"),
        ("ttft_s:abc", "is not a tolerance"),
        ("ttft_s:-5%", "is not a tolerance"),
        ("ttft_s:1e999ms", "is not a tolerance"),
        ("ttft_s:5%,", "is not a tolerance"),
        ("ttft_s:5%,3%", "two tolerances of one kind"),
        ("ttft_s:5ms,3ms", "two tolerances of one kind"),
        ("ttft_s:5J", "has the unit 'J'; this metric takes %, s, ms, us"),
        ("energy_j:5", "has no unit; this metric takes %, J, mJ, kJ"),
        ("output_tokens_per_s:100%", "falls by all of its value"),
        ("power_w:100%,higher", "falls by all of its value"),
        ("power_w:5%,higher,lower", "says twice what is better"),
        ("power_w:higher", "has no tolerance"),
        ("latencies.ttft.p98_s:5%", "Did you mean 'latencies.ttft.p9"),
        ("latency.ttft.p99_s:5%", "Did you mean 'latencies.ttft.p99_s'?"),
        ("p99_s:5%", "Did you mean 'latencies."),
        ("goodput_per_s:5%", "Did you mean 'traffic.goodput_per_s'?"),
        ("energy_uncertainty_j:5%", "the width of an interval"),
        ("floor.times_reference:5%", "only moves with it"),
        ("traffic.failed:5%", "assert it in the test"),
        ("beside.rapl.cpu.energy_j:5%", "beside.SCOPE.METER.QUANTITY"),
        ("beside.energy_j:5%", "beside.SCOPE.METER.QUANTITY"),
        ("beside.rapl.ttft_s:5%", "the same whichever meter reads the energy; gate ttft_s"),
        ("quality.accuracy:>=good", "is no limit: write a number"),
        ("quality.accuracy:>=nan", "is no limit: write a number"),
        ("quality.accuracy:>=1e999", "is no limit: write a number"),
        ("quality.accuracy:100%,higher", "falls by all of its value"),
        ("quality.pass rate:5%", "letters, digits, '_', '-' and '.' in its name"),
        ("quality.:5%", "letters, digits, '_', '-' and '.' in its name"),
        ("ttft_s:<=0ms", "is no limit"),
        ("ttft_s:<=5%", "is no limit"),
        ("ttft_s:<=", "is not a tolerance"),
        ("ttft_s:<=2", "has no unit"),
        ("traffic.goodput_share:>=-1", "is not a tolerance"),
        ("accuracy:>=0.7", "What a test records begins with quality.: quality.accuracy."),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_with_advice(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_rule(text)
    assert said in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_a_configuration_error(text: str) -> None:
    for attempt in (text, f"ttft_s:{text}"):
        try:
            rule = parse_rule(attempt)
        except ConfigError:
            continue
        assert parse_rule(str(rule)) == rule


@given(metric=st.sampled_from(sorted(METRICS)), relative=NUMBERS, absolute=NUMBERS, data=st.data())
def test_a_rule_reads_back_what_it_prints(
    metric: str, relative: str, absolute: str, data: st.DataObject
) -> None:
    units = UNITS.get(METRICS[metric].unit.split("/")[0], ("",))
    parts = [f"{relative}%", f"+{absolute}{data.draw(st.sampled_from(units))}"]
    chosen = data.draw(st.sampled_from([parts, parts[::-1], parts[:1], parts[1:]]))
    rule = parse_rule(f"{metric}:{','.join(chosen)}")
    assert parse_rule(str(rule)) == rule
    assert (rule.relative is not None) == (parts[0] in chosen)
    if rule.relative is not None:
        assert rule.relative == pytest.approx(float(relative) / 100)


def test_the_last_gate_of_a_metric_holds() -> None:
    rules = parse_rules(["ttft_s:5%", "energy_j:2%", "ttft_s:+1ms"])
    assert [str(rule) for rule in rules] == ["ttft_s:+1ms", "energy_j:2%"]


def test_without_a_gate_the_headline_is_compared_for_information() -> None:
    (rule,) = parse_rules([])
    assert rule.metric == "energy_per_output_token_j"
    assert rule.informational


def test_what_is_better_when_it_is_higher_is_throughput_of_some_kind() -> None:
    higher = {name for name, metric in METRICS.items() if metric.higher_is_better}
    assert {name.rpartition(".")[2] for name in higher} == {
        "output_tokens_per_s",
        "offered_per_s",
        "served_per_s",
        "goodput_per_s",
        "goodput_share",
    }


def test_what_is_better_can_be_said() -> None:
    assert not parse_rule("power_w:5%").higher_is_better
    assert parse_rule("power_w:5%,higher").higher_is_better
    assert not parse_rule("output_tokens_per_s:lower,120%").higher_is_better


def numbers_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Paths of everything in a document that is a number, in lists and tables too."""
    for name, field in model.model_fields.items():
        kinds = set(_kinds(field.annotation))
        for inner in filter(_is_model, kinds):
            yield from numbers_of(inner, f"{prefix}{name}.")
        if kinds & {int, float}:
            yield prefix + name


def _kinds(annotation: object) -> Iterator[object]:
    """Every type that is named in an annotation."""
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _is_model(kind: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def test_every_number_of_a_result_is_a_metric_or_has_a_reason_not_to_be() -> None:
    unsaid = []
    of_result = numbers_of(ExperimentResult)
    for name in {one.removeprefix("measurements.") for one in of_result}:
        try:
            parse_rule(f"{name}:5%")
        except ConfigError as error:
            if "metric that can be gated:" not in str(error):
                unsaid.append(name)
    assert unsaid == []


def test_every_metric_is_a_number_of_a_measurement() -> None:
    assert METRICS.keys() <= set(numbers_of(Measured))


@pytest.mark.parametrize(
    ("text", "limit", "higher"),
    [
        ("ttft_s:<=200ms", 0.2, False),
        ("traffic.goodput_share: >= 0.95", 0.95, True),
        ("traffic.goodput_share:≥95%", 0.95, True),
        ("output_tokens_per_s:>=+1000", 1000.0, True),
        ("power_w:≤0.3kW", 300.0, False),
    ],
)
def test_a_limit_is_a_floor_or_a_ceiling(text: str, limit: float, *, higher: bool) -> None:
    rule = parse_rule(text)
    assert rule.limit == pytest.approx(limit)
    assert rule.higher_is_better == higher
    assert parse_rule(str(rule)) == rule


def test_a_limit_and_a_tolerance_of_one_metric_both_hold() -> None:
    rules = parse_rules(["ttft_s:5%", "ttft_s:<=200ms", "ttft_s:<=100ms"])
    assert [str(rule) for rule in rules] == ["ttft_s:5%", "ttft_s:<=100ms"]
