"""Energy against speed: what is picked is what nothing beats, of the same hardware only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.baselines.hardware import hardware_class
from pytest_llem.runs.html import report_of

if TYPE_CHECKING:
    from pytest_llem.results.store import RunStore

Point = tuple[str, float, float]
"""Hardware, energy per output token, and what it stands against, of which less is better."""


def points(store: RunStore, field: str, sign: int) -> dict[str, Point]:
    """Every experiment that passed and whose figures count, straight from the results."""
    environment = store.environment().model_dump(mode="json")
    found = {}
    for one in report_of(store).experiments:
        measured, result = one.row.measured, one.row.result
        if measured is None or not measured.valid or result.outcome != "passed":
            continue
        energy_j, against = measured.energy_per_output_token_j, getattr(measured, field)
        if energy_j is not None and against is not None:
            point = (hardware_class(result, environment), energy_j, sign * against)
            found[result.experiment_id] = point
    return found


def beaten(one: Point, by: Point) -> bool:
    """Whether another point of the same hardware is nowhere worse, and somewhere better."""
    if by[0] != one[0]:
        return False
    return by[1] <= one[1] and by[2] <= one[2] and by[1:] != one[1:]


def front(points: dict[str, Point]) -> set[str]:
    return {
        key
        for key, one in points.items()
        if not any(beaten(one, other) for other in points.values())
    }


def shown_front(page: Any) -> set[str]:
    keys: list[str] = page.eval_on_selector_all(
        ".speed .point.front", "all => all.map(a => a.dataset.key)"
    )
    return set(keys)


@pytest.mark.parametrize(
    ("axis", "field", "sign"), [("tokens", "output_tokens_per_s", -1), ("ttft", "ttft_s", 1)]
)
def test_what_is_picked_is_what_nothing_beats(
    looking: Any, store: RunStore, axis: str, field: str, sign: int
) -> None:
    page = looking.open(view="speed", x=axis)
    expected = front(points(store, field, sign))
    assert shown_front(page) == expected
    listed = page.eval_on_selector_all(
        "[data-view=speed] tbody tr", "all => all.map(r => r.dataset.key)"
    )
    assert set(listed) == expected


def test_a_filter_picks_among_what_it_shows(looking: Any, store: RunStore) -> None:
    page = looking.open(view="speed", x="ttft", q="summary")
    names = {
        one.row.result.experiment_id: one.row.result.group for one in report_of(store).experiments
    }
    left = {
        key: point for key, point in points(store, "ttft_s", 1).items() if "summary" in names[key]
    }
    assert shown_front(page) == front(left)
    assert page.locator(".speed .point").count() < 60


def test_points_of_different_hardware_are_never_joined(
    looking: Any, store: RunStore, data: dict[str, Any]
) -> None:
    page = looking.open(view="speed", x="ttft")
    lines = page.eval_on_selector_all(
        ".speed .front-line",
        "all => all.map(l => [Number(l.dataset.series), l.getAttribute('points').split(' ').length])",
    )
    assert lines
    hardware = {key: point[0] for key, point in points(store, "ttft_s", 1).items()}
    picked = front(points(store, "ttft_s", 1))
    for series, count in lines:
        own = {key for key in picked if hardware[key] == data["series"][series]["hardware"]}
        assert count == len(own)
    assert len({one["hardware"] for one in data["series"]}) == 3


def test_every_point_has_its_interval_and_says_its_figures(
    looking: Any, data: dict[str, Any]
) -> None:
    page = looking.open(view="speed")
    with_interval = [one for one in data["experiments"] if one["point"] and one["point"][2]]
    assert page.locator(".speed .error").count() == len(with_interval)
    told = page.get_attribute(".speed .point.front >> nth=0", "aria-label")
    assert "J/output token" in told
    assert "\u00b1" in told


def test_a_point_opens_its_experiment(looking: Any) -> None:
    page = looking.open(view="speed")
    point = page.locator(".speed .point.front").first
    key = point.get_attribute("data-key")
    point.focus()
    page.keyboard.press("Enter")
    looking.opened(key)
    assert page.text_content(".path a").endswith("Energy and speed")
