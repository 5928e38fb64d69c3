"""What axe finds wrong with each view: nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

VIEWS: dict[str, dict[str, str]] = {
    "experiments": {},
    "filtered": {"q": "chat", "words": "pass", "sort": "energy", "dir": "down"},
    "picking": {"columns": "energy_per_request_j"},
    "experiment": {"open": "test_serving-0000000000000005"},
    "estimate": {"open": "test_serving-0000000000000002"},
    "failed": {"open": "test_serving-0000000000000028"},
    "speed": {"view": "speed"},
    "about": {"view": "about"},
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(look: Callable[..., Any], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    looking = look(color_scheme=scheme)
    for name, state in VIEWS.items():
        page = looking.open(**state)
        page.wait_for_function(
            "document.querySelector('section:not([hidden])').children.length > 1"
        )
        if name == "picking":
            page.click(".choice summary")
        found = axe.run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name


def test_it_fits_a_phone(look: Callable[..., Any]) -> None:
    looking = look()
    looking.page.set_viewport_size({"width": 390, "height": 800})
    for state in VIEWS.values():
        page = looking.open(**state)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, state
