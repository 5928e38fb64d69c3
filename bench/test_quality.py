r"""Are the answers of a batch those that the same requests get alone, and what does a batch save?

What is computed together rounds otherwise, and the lower the precision, the sooner a greedy
choice tips over. A setting that saves energy should not be bought with other answers unseen, so
the share of answers that stay the same is recorded beside the energy, where a gate can be about it:

    pytest bench/test_quality.py::test_the_same_answers_in_a_batch \
        --llem-gate 'quality.same_answers:>=90%' --llem-gate 'energy_per_output_token_j:5%'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.engines.engine import Session
    from pytest_llem.fixtures import Energy

SHORT = {"windows": 5, "window_s": 0.5, "prefill_windows": 0}
ANSWERS = 32


def requests(model: Session) -> list[Request]:
    """As many requests, each with a prompt of its own length, so that a batch has to pad."""
    text = model.tokenizer.encode("Energy is measured in joules, and a watt is a joule a second. ")
    prompts = [tuple((text * 8)[number : 24 + 2 * number]) for number in range(ANSWERS)]
    return [Request(f"r{number}", prompt, 24) for number, prompt in enumerate(prompts)]


def answers(model: Session, asked: Sequence[Request]) -> list[tuple[int, ...]]:
    """The tokens of each answer, in the order of the requests."""
    found = model.generate(asked).requests
    tokens = [one.token_ids for one in found if one.token_ids is not None]
    if len(tokens) < len(asked):
        pytest.skip("this engine counts its tokens and does not tell them")
    return tokens


@pytest.mark.large
@pytest.mark.llem(measurement=SHORT)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_same_answers_in_a_batch(
    energy: Energy, model: Session, sound: Callable[[Measured], None], dtype: str
) -> None:
    """Answers one by one, then the energy of a batch, and how many of its answers are the same."""
    asked = requests(model)
    alone = [answers(model, [one])[0] for one in asked]
    work = {
        "requests": len(asked),
        "input_tokens": sum(len(one.prompt_token_ids) for one in asked),
        "output_tokens": sum(one.output_tokens for one in asked),
    }
    sound(energy.measure(lambda: model.generate(asked), work=work, name="batch"))
    together = answers(model, asked)
    energy.record(
        "same_answers",
        [one == other for one, other in zip(alone, together, strict=True)],
        higher_is_better=True,
    )
