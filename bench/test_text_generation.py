"""What does a generated token cost, and what do batch size and data type change about it?

A decode step reads every weight once, whatever the batch size, so a larger batch
shares that cost. A narrower type halves what is read where the hardware computes in
it, and may cost more where it has to convert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.energy.measured import Measured
    from pytest_llem.engines.engine import Session
    from pytest_llem.fixtures import Energy

SHORT = {"windows": 5, "window_s": 0.5, "prefill_windows": 3}
LONG = {"windows": 10, "window_s": 2.0, "prefill_windows": 5}


@pytest.mark.llem(input_tokens=128, output_tokens=32, measurement=SHORT)
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chat(
    energy: Energy,
    model: Session,
    sound: Callable[[Measured], None],
    batch_size: int,
    dtype: str,
) -> None:
    """A chat turn: a question, and an answer a quarter as long."""
    measured = energy.measure(model)
    sound(measured)
    assert measured.requests == batch_size
    assert measured.output_tokens == batch_size * 32


@pytest.mark.large
@pytest.mark.llem(input_tokens=512, output_tokens=256, measurement=LONG)
@pytest.mark.parametrize("batch_size", [1, 2, 4, 8, 16, 32, 64, 128])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_throughput_sweep(
    energy: Energy,
    model: Session,
    sound: Callable[[Measured], None],
    batch_size: int,
    dtype: str,
) -> None:
    """Where the curve of J per token over batch size flattens: the batch worth filling."""
    sound(energy.measure(model))
