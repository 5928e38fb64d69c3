"""Servers that are measured from outside."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from instruments.server_double import server_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[Callable[..., str]]:
    """Start a double with this script; its base URL."""
    with ExitStack() as stack:

        def start(**script: Any) -> str:
            return stack.enter_context(server_double(**script))

        yield start


@pytest.fixture
def measured_all(
    run: Callable[..., pytest.RunResult], stored: Callable[[], list[dict[str, Any]]]
) -> Callable[..., tuple[pytest.RunResult, dict[str, dict[str, Any]]]]:
    """Measure servers by their URLs, each with a label; pytest's outcome, and results by label."""

    def measured_all(
        urls: dict[str, str], *options: str
    ) -> tuple[pytest.RunResult, dict[str, dict[str, Any]]]:
        cases = "".join(CASE.format(url=url, label=label) for label, url in urls.items())
        outcome = run(SOURCE.format(cases=cases), *options)
        text = outcome.stdout.str() + outcome.stderr.str()
        assert "Traceback" not in text
        assert "INTERNALERROR" not in text
        return outcome, {str(result["label"]): result for result in stored()}

    return measured_all


@pytest.fixture
def measured(measured_all: Callable[..., Any]) -> Callable[..., Any]:
    """The same for one server; its result is empty if none was stored."""

    def measured(url: str, *options: str) -> tuple[pytest.RunResult, dict[str, Any]]:
        outcome, results = measured_all({"one": url}, *options)
        return outcome, next(iter(results.values()), {})

    return measured


CASE = """
    pytest.param(marks=pytest.mark.llem(openai={{"base_url": "{url}"}}), id="{label}"),"""
SOURCE = """
import pytest

@pytest.mark.parametrize((), [{cases}
])
@pytest.mark.llem(
    backend="openai", batch_size=4, input_tokens=8, output_tokens=16,
    measurement={{"windows": 2, "window_s": 0.2, "warmup_min_s": 0.1, "idle_s": 0, "repeat_windows": 1}},
)
def test_server(energy, model):
    energy.measure(model)
"""
