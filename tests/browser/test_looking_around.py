"""Sorting, filtering and going from view to view, by keyboard and by link."""

from __future__ import annotations

from typing import Any

SEARCH = "[data-view=experiments] input[type=search]"


def values(data: dict[str, Any], name: str) -> dict[str, float | None]:
    column = next(column for column in data["columns"] if column["name"] == name)
    keys = [one["key"] for one in data["experiments"]]
    return dict(zip(keys, column["values"], strict=True))


def is_sorted(found: list[float], *, down: bool = False) -> bool:
    return found == sorted(found, reverse=down)


def test_columns_sort_by_keyboard_and_say_so(looking: Any, data: dict[str, Any]) -> None:
    page = looking.open()
    energies = values(data, "energy")
    head = page.locator("th:has(button[data-sort=energy])")
    assert head.get_attribute("aria-sort") is None
    page.focus("button[data-sort=energy]")
    for way, down in (("ascending", False), ("descending", True)):
        page.keyboard.press("Enter")
        looking.complete()
        assert head.get_attribute("aria-sort") == way
        order = [energies[key] for key in looking.order()]
        known = [value for value in order if value is not None]
        assert is_sorted(known, down=down)
        assert order[: len(known)] == known  # unknown is last, either way
        assert page.evaluate("document.activeElement.dataset.sort") == "energy"
    assert page.locator("th[aria-sort]").count() == 1


def test_the_worst_comes_first(looking: Any, data: dict[str, Any]) -> None:
    looking.open()
    words = {one["key"]: one["word"] for one in data["experiments"]}
    rank = [word for word, *_ in data["words"]]
    places = [rank.index(words[key]) for key in looking.order()]
    assert is_sorted([float(place) for place in places])
    changes = values(data, "change from baseline")
    regressed = [changes[key] or 0.0 for key in looking.order() if words[key] == "regressed"]
    assert regressed
    assert is_sorted(regressed, down=True)


def test_the_filter_takes_all_words_and_is_reached_by_a_key(
    looking: Any, data: dict[str, Any]
) -> None:
    page = looking.open()
    page.keyboard.press("/")
    page.keyboard.type("BFLOAT16 code")
    looking.complete()
    wanted = [one["key"] for one in data["experiments"] if "code" in one["name"]]
    wanted = [key for key in wanted if "bfloat16" in text_of(data, key)]
    assert sorted(looking.order()) == sorted(wanted)
    assert page.text_content("[data-view=experiments] output") == f"{len(wanted)} of 60 experiments"
    page.fill(SEARCH, "there is no such thing")
    assert "No experiment fits" in page.text_content(".experiments tbody")


def text_of(data: dict[str, Any], key: str) -> str:
    one = next(one for one in data["experiments"] if one["key"] == key)
    return f"{one['name']} {one['words']}"


def test_verdicts_pick_what_is_shown(looking: Any, data: dict[str, Any]) -> None:
    page = looking.open()
    page.focus("button[data-word=regressed]")
    page.keyboard.press("Space")
    looking.complete()
    picked = {one["key"] for one in data["experiments"] if one["word"] == "regressed"}
    assert set(looking.order()) == picked
    assert page.get_attribute("button[data-word=regressed]", "aria-pressed") == "true"
    page.click("button[data-word=failed]")
    looking.complete()
    assert len(looking.order()) > len(picked)


def heads(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".experiments thead button", "all => all.map(b => b.dataset.sort)"
    )
    return found


def test_columns_are_picked_by_keyboard_and_a_link_keeps_them(looking: Any) -> None:
    page = looking.open(sort="energy")
    before, order = heads(page), looking.order()
    assert "power_w" in before
    assert "energy_per_request_j" not in before
    page.focus(".choice summary")
    page.keyboard.press("Enter")
    for name in ("power_w", "energy_per_request_j"):
        page.focus(f"[data-column={name}]")
        page.keyboard.press("Space")
    looking.complete()
    picked = heads(page)
    assert set(picked) ^ set(before) == {"power_w", "energy_per_request_j"}
    assert looking.order() == order
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Columns"
    assert not page.locator("[data-column=power_w]").is_visible()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    looking.complete()
    assert heads(page) == picked
    assert not page.is_checked("[data-column=power_w]")
    page = looking.open(columns="nothing,power_w")
    assert heads(page) == [name for name in before if name != "power_w"]


def test_a_link_shows_the_same_again(looking: Any) -> None:
    page = looking.open()
    page.fill(SEARCH, "chat")
    page.click("button[data-sort=energy]")
    page.click("button[data-sort=energy]")
    page.click("button[data-word=pass]")
    looking.complete()
    before, address = looking.order(), page.url
    page.goto("about:blank")
    page.goto(address)
    looking.complete()
    assert looking.order() == before
    assert page.input_value(SEARCH) == "chat"
    assert page.get_attribute("button[data-word=pass]", "aria-pressed") == "true"
    assert page.get_attribute("th:has(button[data-sort=energy])", "aria-sort") == "descending"


def test_a_link_to_an_experiment_opens_it_and_back_returns(
    looking: Any, data: dict[str, Any]
) -> None:
    page = looking.open(q="chat")
    key = looking.order()[2]
    page.click(f"tr[data-key='{key}'] a")
    looking.opened(key)
    address = page.url
    assert page.evaluate("document.activeElement.id") == "experiment-heading"
    page.go_back()
    looking.complete()
    assert page.locator("[data-view=experiments]").is_visible()
    assert page.input_value(SEARCH) == "chat"
    page.goto("about:blank")
    page.goto(address)
    looking.opened(key)
    name = next(one["name"] for one in data["experiments"] if one["key"] == key)
    assert page.text_content("#experiment-heading") == name


def test_axes_are_in_the_link(looking: Any) -> None:
    page = looking.open(view="speed")
    page.select_option("#x-axis", "ttft")
    page.check("#linear")
    page.goto(page.url.replace("#", "?again#"))
    page.wait_for_selector(".speed .point")
    assert page.input_value("#x-axis") == "ttft"
    assert page.is_checked("#linear")


def test_rows_are_walked_and_left_by_keyboard(looking: Any) -> None:
    page = looking.open()
    first, second = looking.order()[:2]
    page.focus(f"tr[data-key='{first}'] a")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    looking.opened(second)
    page.keyboard.press("Escape")
    looking.complete()
    assert page.locator("[data-view=experiments]").is_visible()
    assert page.evaluate("document.activeElement.closest('tr').dataset.key") == second


def test_an_address_that_makes_no_sense_shows_the_table(looking: Any) -> None:
    page = looking.open(view="nothing", sort="nothing", x="nothing", words="nothing")
    assert "No experiment fits" in page.text_content(".experiments tbody")
    page = looking.open(view="speed", x="nothing")
    assert page.input_value("#x-axis") == "tokens"
