"""What does serving requests together save, and what do unequal lengths take back?

The work is a function here rather than the experiment's own workload: anything that
can be called can be measured, and it is warmed up and repeated the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.energy.measured import Figures, Measured
    from pytest_llem.engines.engine import Session
    from pytest_llem.fixtures import Energy

SHORT = {"windows": 5, "window_s": 0.5, "prefill_windows": 0}
LONG = {"windows": 10, "window_s": 2.0, "prefill_windows": 0}


def requests(model: Session, output_tokens: Sequence[int]) -> list[Request]:
    """One request for each answer length, all with the same 32-token prompt."""
    text = model.tokenizer.encode("Energy is measured in joules, and a watt is a joule a second. ")
    prompt = tuple((text * 32)[:32])
    return [Request(f"r{i}", prompt, length) for i, length in enumerate(output_tokens)]


def work(asked: Sequence[Request]) -> dict[str, int]:
    """What one call of a measured function does, for the denominators."""
    return {
        "requests": len(asked),
        "input_tokens": sum(len(request.prompt_token_ids) for request in asked),
        "output_tokens": sum(request.output_tokens for request in asked),
    }


@pytest.mark.llem(dtype="float32", measurement=SHORT)
def test_together_costs_less_than_one_by_one(
    energy: Energy,
    model: Session,
    sound: Callable[[Measured], None],
    cheaper: Callable[[Figures, Figures], None],
) -> None:
    """Four requests in one batch, and the same four after another."""
    asked = requests(model, [32] * 4)

    def one_by_one() -> None:
        for request in asked:
            model.generate([request])

    together = energy.measure(lambda: model.generate(asked), work=work(asked), name="together")
    alone = energy.measure(one_by_one, work=work(asked), name="one by one")
    sound(together)
    sound(alone)
    cheaper(together, alone)


@pytest.mark.large
@pytest.mark.llem(measurement=LONG)
@pytest.mark.parametrize("spread", [0, 32, 64, 96])
def test_unequal_answers(
    energy: Energy, model: Session, sound: Callable[[Measured], None], spread: int
) -> None:
    """Eight answers of 128 tokens on average, ever less alike: static batching waits for the last."""
    asked = requests(model, [128 - spread, 128 + spread] * 4)
    sound(energy.measure(lambda: model.generate(asked), work=work(asked), name="batch"))
