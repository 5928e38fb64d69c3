from __future__ import annotations

import math
from decimal import Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_llem.reports.quantities import (
    common_exponent,
    number,
    percent,
    prefix,
    quantity,
    unit_of,
)
from pytest_llem.reports.text import ASCII, UNICODE

finite = st.floats(allow_nan=False, allow_infinity=False)
spreads = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)


def written(value: float | None, uncertainty: float | None = None, exponent: int = 0) -> str:
    made = number(value, uncertainty, signs=UNICODE, exponent=exponent, with_uncertainty=True)
    return made.text(UNICODE)


def last_place(text: str) -> int:
    """The power of ten of the last digit of a written number."""
    mantissa, _, exponent = text.partition("e")
    return int(exponent or 0) - len(mantissa.partition(".")[2])


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (25.1349, 0.31, "25.13 ± 0.31"),
        (25.1349, 0.0996, "25.13 ± 0.10"),
        (25.1349, 2.06, "25.1 ± 2.1"),
        (25134.9, 312.0, "25130 ± 310"),
        (0.3, 12.0, "0 ± 12"),
        (-0.3, 12.0, "0 ± 12"),
        (-7.25, 0.5, "−7.25 ± 0.50"),  # noqa: RUF001 -- the sign itself
        (0.0, 0.25, "0.00 ± 0.25"),
    ],
)
def test_a_value_is_rounded_to_two_digits_of_its_uncertainty(
    value: float, uncertainty: float, text: str
) -> None:
    assert written(value, uncertainty) == text


def test_an_unknown_value_is_a_dash_and_never_zero() -> None:
    assert written(None) == "–"  # noqa: RUF001 -- the sign itself
    assert number(None, signs=ASCII).text(ASCII) == "-"
    assert "0" not in written(None, 0.1)


def test_an_unknown_uncertainty_is_a_dash_and_leaves_three_digits() -> None:
    assert written(25.1349) == "25.1 ± –"  # noqa: RUF001 -- the sign itself


def test_whole_digits_are_kept_where_no_uncertainty_speaks_against_them() -> None:
    assert number(241234.7, signs=UNICODE).text(UNICODE) == "241235"


def test_numbers_too_long_for_a_column_get_an_exponent() -> None:
    assert written(1e300, 1e298) == "1.000e300 ± 1.0e298"
    assert written(1.25, 3e-12) == "1.250000 ± 3.0e−12"  # noqa: RUF001 -- the sign itself


@given(finite, spreads, st.sampled_from(range(-12, 13, 3)))
@example(9.996, 0.01, 0)
@example(5e-324, 5e-324, 12)
@example(1.7e308, 1.7e308, -12)
def test_the_value_lies_within_the_rounding_that_is_shown(
    value: float, uncertainty: float, exponent: int
) -> None:
    made = number(value, uncertainty, signs=ASCII, exponent=exponent, with_uncertainty=True)
    text = made.whole + made.fraction
    with localcontext() as context:
        context.prec = 1200
        scaled = Decimal(value).scaleb(-exponent)
        second_digit = Decimal(uncertainty).scaleb(-exponent) / 10
        half_step = max(Decimal(1).scaleb(last_place(text)), second_digit) / 2
        assert abs(Decimal(text) - scaled) <= half_step * Decimal("1.000001")


@given(st.floats(0.01, 1e6), st.floats(1e-4, 90), st.sampled_from(range(-12, 13, 3)))
@example(2.5, 31.0, 0)
@example(2.5, 31.0, -3)
@example(0.15, 3.1, -3)
@example(9.995, 0.31, -6)
def test_ties_and_their_neighbours_are_rounded_as_decimals_are(
    value: float, uncertainty: float, exponent: int
) -> None:
    value, uncertainty = value * 10.0**exponent, uncertainty * 10.0**exponent
    made = number(value, uncertainty, signs=ASCII, exponent=exponent, with_uncertainty=True)
    with localcontext() as context:
        context.prec = 1200
        scaled, spread = (Decimal(found).scaleb(-exponent) for found in (value, uncertainty))
        place = max(Decimal(f"{spread:.1e}").adjusted() - 1, scaled.adjusted() - 6)
        rounded = scaled.quantize(Decimal(1).scaleb(place))
    assert Decimal(made.whole + made.fraction) == rounded


@given(finite, spreads)
def test_the_uncertainty_is_shown_with_two_significant_digits(
    value: float, uncertainty: float
) -> None:
    made = number(value, uncertainty, signs=ASCII, with_uncertainty=True)
    text = made.uncertainty_whole + made.uncertainty_fraction
    digits = text.partition("e")[0].replace(".", "").lstrip("0")
    assert Decimal(text) > 0
    assert abs(Decimal(text) / Decimal(uncertainty) - 1) <= Decimal("0.0501")
    assert len(digits) == 2 or digits[2:].strip("0") == ""


@given(finite, spreads)
def test_a_value_never_has_more_digits_than_a_column_can_hold(
    value: float, uncertainty: float
) -> None:
    made = number(value, uncertainty, signs=ASCII, with_uncertainty=True)
    assert len(made.whole) <= 14
    assert len(made.fraction) <= 14


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_written_all_the_same(value: float) -> None:
    assert number(value, signs=UNICODE).text(UNICODE) in {"∞", "−∞", "–"}  # noqa: RUF001 -- the signs themselves
    assert percent(value, (value, value), signs=ASCII).number.text(ASCII) in {"inf", "-inf", "-"}
    assert written(1.0, value) in {"1.00 ± ∞", "1.00 ± –"}  # noqa: RUF001 -- the signs themselves


def test_a_test_that_changes_the_decimal_context_changes_no_figure() -> None:
    with localcontext() as context:
        context.prec = 2
        assert written(25134.9, 3.1) == "25134.9 ± 3.1"


@pytest.mark.parametrize(
    ("values", "symbol"),
    [
        ([0.025, 0.006], "m"),
        ([2.5e-5], "µ"),
        ([1.0, 12.0, 999.0], ""),
        ([1500.0], "k"),
        ([0.02, 0.03, 5000.0], "m"),
        ([None, 0.0], ""),
        ([], ""),
        ([1e-30], "p"),
        ([1e30], "T"),
        ([-0.02], "m"),
    ],
)
def test_a_column_has_one_prefix_that_suits_its_median(
    values: list[float | None], symbol: str
) -> None:
    assert prefix(common_exponent(values), UNICODE) == symbol


def test_micro_is_spelled_for_ascii() -> None:
    assert quantity("energy_j", 2.5e-5, estimated=False, unicode=False) == ["25.0 uJ"]


def test_an_estimated_quantity_is_marked() -> None:
    assert quantity("power_w", 12.0, None, estimated=True, unicode=True) == ["~12.0 W", "–"]  # noqa: RUF001 -- the sign itself


@pytest.mark.parametrize(
    ("metric", "symbol"),
    [
        ("energy_per_output_token_j", "J"),
        ("decode.energy_j", "J"),
        ("output_tokens_per_s", "/s"),
        ("ttft_s", "s"),
        ("power_w", "W"),
        ("memory_bytes", "B"),
        ("sm_clock_mhz", "MHz"),
        ("passes", ""),
    ],
)
def test_the_unit_is_the_suffix_of_the_name(metric: str, symbol: str) -> None:
    assert unit_of(metric).symbol == symbol


@pytest.mark.parametrize(
    ("change", "interval", "text"),
    [
        (0.1234, (0.0981, 0.1493), "+12.3 [+9.8, +14.9]"),
        (-0.1234, (-0.1493, -0.0981), "-12.3 [-14.9, -9.8]"),
        (0.0001, (-0.02, 0.02), "0.0 [-2.0, +2.0]"),
        (0.05, (0.0499, 0.0501), "+5.00 [+4.99, +5.01]"),
        (5.0, (4.0, 6.0), "+500 [+400, +600]"),
        (0.1, None, "+10.0"),
        (None, (-0.01, 0.03), "- [-1.0, +3.0]"),
        (0.02, (0.02, 0.02), "+2.0 [+2.0, +2.0]"),
    ],
)
def test_a_change_has_the_digits_of_its_interval(
    change: float | None, interval: tuple[float, float] | None, text: str
) -> None:
    shown, within = percent(change, interval, signs=ASCII)
    assert f"{shown.text(ASCII)} {within}".rstrip() == text


@given(finite, finite, finite)
def test_a_change_lies_within_the_rounding_that_is_shown(
    change: float, low: float, high: float
) -> None:
    text = percent(change, (low, high), signs=ASCII).number.text(ASCII)
    exact = Decimal(change) * 100
    second_digit = abs(Decimal(high) - Decimal(low)) / 2 * 100 / 10
    step = max(Decimal(1).scaleb(last_place(text)), second_digit, abs(exact) / 10**6)
    assert abs(Decimal(text) - exact) <= step / 2 * Decimal("1.000001")
