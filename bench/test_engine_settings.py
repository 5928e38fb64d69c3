"""Which settings of an engine change the energy of the same work?

Sections are crossed with their own engine only, so that one grid serves
``--llem-backend=transformers,vllm``. All of it is large: settings matter on models
that fill a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem import llem

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.energy.measured import Measured
    from pytest_llem.engines.engine import Session
    from pytest_llem.fixtures import Energy

LONG = {"windows": 10, "window_s": 2.0, "prefill_windows": 5}


@pytest.mark.large
@pytest.mark.llem(input_tokens=512, output_tokens=128, measurement=LONG)
@llem.grid(
    batch_size=[1, 16],
    transformers={
        "attn_implementation": ["eager", "sdpa"],
        "cache_implementation": ["dynamic", "static"],
    },
    vllm={"max_num_seqs": [16, 64, 256], "enforce_eager": [False, True]},
)
def test_settings(energy: Energy, model: Session, sound: Callable[[Measured], None]) -> None:
    sound(energy.measure(model))


@pytest.mark.large
@pytest.mark.llem(batch_size=8, input_tokens=512, output_tokens=128, measurement=LONG)
@pytest.mark.parametrize("quantization", [None, "int8", "int4"])
def test_quantization(
    energy: Energy, model: Session, sound: Callable[[Measured], None], quantization: str | None
) -> None:
    """Fewer bytes to read a step, against the work of unpacking them."""
    sound(energy.measure(model))
