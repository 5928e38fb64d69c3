"""Where does the energy of a request go: into reading the prompt, or into writing the answer?

Prefill handles a prompt's tokens in one parallel pass; decode pays for each token
alone. The same number of tokens therefore costs very different amounts of energy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.energy.measured import Figures, Measured
    from pytest_llem.engines.engine import Session
    from pytest_llem.fixtures import Energy

SHORT = {"windows": 5, "window_s": 0.5, "prefill_windows": 3}
LONG = {"windows": 10, "window_s": 2.0, "prefill_windows": 5}


@pytest.mark.llem(batch_size=4, dtype="float32", measurement=SHORT)
@pytest.mark.parametrize(
    ("input_tokens", "output_tokens"),
    [pytest.param(256, 8, id="summarize"), pytest.param(16, 64, id="write")],
)
def test_reading_against_writing(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    energy: Energy,
    model: Session,
    sound: Callable[[Measured], None],
    cheaper: Callable[[Figures, Figures], None],
    input_tokens: int,
    output_tokens: int,
) -> None:
    """A long text with a short answer, and a short request with a long answer."""
    measured = energy.measure(model)
    sound(measured)
    assert measured.input_tokens == 4 * input_tokens
    if output_tokens > input_tokens:
        cheaper(measured.prefill, measured.decode)


@pytest.mark.large
@pytest.mark.llem(batch_size=8, measurement=LONG)
@pytest.mark.parametrize("input_tokens", [64, 256, 1024])
@pytest.mark.parametrize("output_tokens", [16, 64, 256, 512])
def test_length_grid(
    energy: Energy,
    model: Session,
    sound: Callable[[Measured], None],
    input_tokens: int,
    output_tokens: int,
) -> None:
    """Enough lengths to read J per prompt token and J per answer token off a plane."""
    sound(energy.measure(model))


@pytest.mark.large
@pytest.mark.llem(batch_size=1, output_tokens=32, measurement=LONG)
@pytest.mark.parametrize("input_tokens", [1024, 2048, 4096, 8192, 16384])
def test_long_prompts(
    energy: Energy, model: Session, sound: Callable[[Measured], None], input_tokens: int
) -> None:
    """Attention grows with the square of the prompt: from where on that shows.

    A model whose context is shorter fails the points that it cannot hold, and says so.
    """
    sound(energy.measure(model))
