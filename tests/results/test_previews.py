"""Small pictures of raw data, kept beside results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.energy.sampling.trace import Trace
from pytest_llem.results.preview.document import Preview, totals
from pytest_llem.results.preview.making import MOST_PASSES, MOST_POINTS, MOST_TICKS, preview_of
from pytest_llem.results.preview.thinning import evenly, known_steps, steps, thinned, unit_for
from pytest_llem.results.raw import RawData

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.results.preview.document import Course, DevicePreview
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore

finite = st.floats(-1e6, 1e6)
columns = st.lists(finite | st.just(math.nan), max_size=300)


def traced(powers: Sequence[float | None], energies: Sequence[float | None]) -> RawData:
    capability = Capability("gpu", "counter", None, None)
    trace = Trace(device=Device(uuid="GPU-1", name="Card", capability=capability), meter="nvml")
    for place, (power_w, energy_j) in enumerate(zip(powers, energies, strict=True)):
        trace.append(Reading(place * 10**8, place * 10**8, energy_j, power_w))
    return RawData(traces=(trace,), marks=())


def device(raw: RawData) -> DevicePreview:
    preview = preview_of(raw)
    assert preview is not None
    (one,) = preview.devices
    return one


def known(course: Course | None) -> list[float]:
    assert course is not None
    return [value for _, value in course.points() if value is not None]


@given(columns, st.integers(4, 100))
def test_thinning_keeps_extremes_ends_and_order(values: list[float], most: int) -> None:
    points = thinned(values, most)
    places = [place for place, _ in points]
    assert len(points) <= max(most, 0) or len(values) <= most
    assert places == sorted(set(places))
    assert all(value == values[place] or math.isnan(value) for place, value in points)
    numbers = [value for value in values if not math.isnan(value)]
    if numbers:
        shown = [value for _, value in points if not math.isnan(value)]
        assert (min(shown), max(shown)) == (min(numbers), max(numbers))
    if values:
        assert (places[0], places[-1]) == (0, len(values) - 1)


@given(st.lists(finite | st.none(), max_size=50))
def test_steps_add_up_to_the_values(values: list[float | None]) -> None:
    unit = unit_for([value for value in values if value is not None])
    found = totals(steps(values, unit))
    assert [total is None for total in found] == [value is None for value in values]
    for total, value in zip(found, values, strict=True):
        if total is not None and value is not None:
            assert abs(total * unit - value) <= unit * 0.5001


@given(st.lists(st.integers(-(2**50), 2**50), max_size=30))
def test_known_steps_are_steps(values: list[int]) -> None:
    assert known_steps(values) == steps(values, 1)
    assert totals(known_steps(values)) == values


@given(st.integers(0, 500), st.integers(1, 60))
def test_even_places_begin_and_end_where_all_do(count: int, most: int) -> None:
    places = list(evenly(count, most))
    assert len(places) == min(count, most)
    assert places == sorted(set(places))
    if most > 1 and count:
        assert (places[0], places[-1]) == (0, count - 1)


def test_a_spike_of_one_reading_stays() -> None:
    powers = [100.0] * 5000
    powers[2345] = 700.0
    one = device(traced(powers, [float(place) for place in range(5000)]))
    points = one.power_w
    assert points is not None
    assert len(points.times) <= MOST_POINTS
    assert (one.readings, one.power_from, max(known(points))) == (5000, "readings", 700.0)
    at_ms = next(time for time, value in points.points() if value == 700.0)
    assert at_ms == pytest.approx(234_500, abs=0.1)


def test_power_that_was_not_read_is_the_counters_rise_over_time() -> None:
    energies = [place // 5 * 25.0 for place in range(1000)]  # 25 J each half second
    one = device(traced([None] * 1000, energies))
    assert one.power_from == "counter"
    assert known(one.power_w) == pytest.approx([50.0] * len(known(one.power_w)))
    assert (one.ticks, len(one.ticked)) == (199, MOST_TICKS)


def test_what_gives_nothing_has_no_power() -> None:
    one = device(traced([None] * 9, [None] * 9))
    assert (one.power_w, one.ticks, one.temperature_c) == (None, 0, None)


def test_a_gap_in_the_readings_stays_a_gap() -> None:
    powers: list[float | None] = [100.0] * 3000
    powers[1000:2000] = [None] * 1000
    one = device(traced(powers, [0.0] * 3000))
    assert one.power_w is not None
    assert None in [value for _, value in one.power_w.points()]


def test_temperature_and_clock_have_courses_of_their_own() -> None:
    raw = traced([1.0], [1.0])
    raw.traces[0].facts += [Facts(0, temperature_c=40.0), Facts(10**9, temperature_c=61.0)]
    one = device(raw)
    assert one.temperature_c is not None
    assert one.temperature_c.points() == [(0.0, 40.0), (1000.0, 61.0)]
    assert one.sm_clock_mhz is None


def test_windows_and_passes_are_there_by_their_edges(make_raw: Callable[..., RawData]) -> None:
    preview = preview_of(make_raw(40))
    assert preview is not None
    (measurement,) = preview.measurements
    (window,) = measurement.windows
    assert measurement.warm_up_us == (0, 1_000_000)
    assert (window.start_us, window.end_us, window.passes) == (1_000_000, 2_000_000, 1)
    assert totals(window.edges) == [1_000_000, None, 2_000_000]
    assert len(window.edges) / 3 <= MOST_PASSES


def test_nothing_read_and_nothing_marked_has_no_preview() -> None:
    assert preview_of(RawData(traces=(), marks=())) is None


def test_a_preview_appears_with_its_result(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    name = store.write_result(make_result(), make_raw(100)).stem
    preview = store.preview(name)
    assert preview == preview_of(make_raw(100))
    text = store.preview_text(name)
    assert text is not None
    assert Preview.model_validate_json(text) == preview
    assert list((store.path / "previews").iterdir()) == [store.path / "previews" / f"{name}.json"]


def test_a_result_without_raw_data_has_none(
    store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    assert store.preview(store.write_result(make_result(), None).stem) is None


@pytest.mark.parametrize(
    "damage", ["", "{}", "[1", "\udc80", '{"schema_version": 1, "devices": 3}']
)
def test_a_damaged_preview_is_as_good_as_none_and_is_made_again(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
    damage: str,
) -> None:
    name = store.write_result(make_result(), make_raw()).stem
    before = store.preview(name)
    path = store.path / "previews" / f"{name}.json"
    path.write_text(damage, errors="surrogateescape")
    assert (store.preview(name), store.preview_text(name)) == (None, None)
    assert store.make_previews() == 1
    assert store.preview(name) == before
    assert store.make_previews() == 0


def test_previews_are_made_from_raw_data_in_its_lasting_form(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    name = store.write_result(make_result(), make_raw()).stem
    before = store.preview(name)
    store.compact()
    (store.path / "previews" / f"{name}.json").unlink()
    assert store.make_previews() == 1
    assert store.preview(name) == before


def test_a_preview_that_cannot_be_written_costs_nothing_else(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    (store.path / "previews").write_text("in the way")
    name = store.write_result(make_result(), make_raw()).stem
    assert store.preview(name) is None
    assert store.raw_of(name).marks == make_raw().marks
