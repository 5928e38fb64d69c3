"""What people write behind ``--llem-gate``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.metrics import METRICS
from pytest_llem.baselines.rules import parse_rule, parse_rules
from pytest_llem.errors import ConfigError

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
    units = UNITS.get(METRICS[metric].unit.split("/")[0], ("", "tokens/s"))
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


def test_only_throughput_is_better_when_it_is_higher() -> None:
    higher = {metric.quantity for metric in METRICS.values() if metric.higher_is_better}
    assert higher == {"output_tokens_per_s"}
