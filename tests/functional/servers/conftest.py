"""Servers that are measured from outside."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from instruments.server_double import server_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("aiohttp")


@pytest.fixture
def server() -> Iterator[Callable[..., str]]:
    """Start a double with this script; its base URL."""
    with ExitStack() as stack:

        def start(**script: Any) -> str:
            return stack.enter_context(server_double(**script))

        yield start


@pytest.fixture
def measured(
    run: Callable[..., pytest.RunResult], stored: Callable[[], list[dict[str, Any]]]
) -> Callable[..., tuple[pytest.RunResult, dict[str, Any]]]:
    """Measure a server with these options; pytest's outcome, and the stored result."""

    def measured(url: str, *options: str) -> tuple[pytest.RunResult, dict[str, Any]]:
        outcome = run(SOURCE, f"--llem-set=openai.base_url={url}", *options)
        text = outcome.stdout.str() + outcome.stderr.str()
        assert "Traceback" not in text
        assert "INTERNALERROR" not in text
        results = stored()
        return outcome, results[-1] if results else {}

    return measured


SOURCE = """
import pytest

@pytest.mark.llem(
    backend="openai", batch_size=4, input_tokens=8, output_tokens=16,
    measurement={"windows": 2, "window_s": 0.2, "warmup_min_s": 0.1, "idle_s": 0, "repeat_windows": 1},
)
def test_server(energy, model):
    energy.measure(model)
"""
