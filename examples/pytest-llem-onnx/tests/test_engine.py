"""The engine itself: real tokens, fixed work, honest stamps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.effective import differences
from pytest_llem.engines.transformers.engine import TransformersEngine
from pytest_llem.errors import EngineError, LlemError
from pytest_llem.workloads.batch import build_requests
from pytest_llem.workloads.request import Request
from pytest_llem_onnx.engine import OnnxEngine

if TYPE_CHECKING:
    from pytest_llem_onnx.session import OnnxSession

TEXT = "def greet(name):\n    return f'Hello, {name}!'  # says hello"


def config(**changes: object) -> ExperimentConfig:
    return ExperimentConfig(**{"backend": "onnx", "dtype": "float32", **changes})  # type: ignore[arg-type]


def mixed(session: OnnxSession) -> list[Request]:
    """Requests that differ in both lengths."""
    sizes = [(5, 9), (40, 24), (17, 1), (31, 16)]
    drawn = build_requests(config(batch_size=len(sizes), input_tokens=40), session.tokenizer)
    return [
        Request(one.request_id, one.prompt_token_ids[:tokens], output)
        for one, (tokens, output) in zip(drawn, sizes, strict=True)
    ]


def test_tokens_are_those_of_transformers_whatever_the_lengths(session: OnnxSession) -> None:
    requests = mixed(session)
    peer = TransformersEngine().load(config(backend="transformers"))
    try:
        wanted = [peer.generate([request]).requests[0].token_ids for request in requests]
        texts = peer.tokenizer.encode(TEXT), session.tokenizer.encode(TEXT)
        special = peer.tokenizer.special_token_ids, session.tokenizer.special_token_ids
    finally:
        peer.close()
    together = [one.token_ids for one in session.generate(requests).requests]
    alone = [session.generate([request]).requests[0].token_ids for request in requests]
    assert together == alone == wanted
    assert len(set(together)) == len(together)
    assert texts[0] == texts[1]
    assert special[0] == special[1]


def test_work_is_fixed_and_stamped_in_order(session: OnnxSession) -> None:
    requests = mixed(session)
    before = time.monotonic_ns()
    found = session.generate(requests)
    after = time.monotonic_ns()
    assert [one.input_tokens for one in found.requests] == [5, 40, 17, 31]
    assert [one.output_tokens for one in found.requests] == [9, 24, 1, 16]
    assert [len(one.token_ids or ()) for one in found.requests] == [9, 24, 1, 16]
    assert found.batching == "static"
    steps = list(found.step_ns)
    assert len(steps) == 24
    assert [before, found.start_ns, *steps, found.end_ns, after] == sorted(
        [before, found.start_ns, *steps, found.end_ns, after]
    )
    for request, asked in zip(found.requests, requests, strict=True):
        assert request.first_token_ns == steps[0]
        assert request.finish_ns == steps[asked.output_tokens - 1]
        assert request.finish_reason == "length"


def test_options_of_the_section_reach_the_library() -> None:
    asked = {"intra_op_num_threads": 2, "graph_optimization_level": "ORT_DISABLE_ALL"}
    options = {**asked, "extra": {"log_severity_level": 3}}
    loaded = OnnxEngine().load(config(engine_options={"onnx": options}))
    try:
        described = loaded.describe()
    finally:
        loaded.close()
    assert described["threads"] == 2
    assert differences(config(engine_options={"onnx": asked}), described) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"intra_op_threads": 2}, "Did you mean 'intra_op_num_threads'"),
        ({"graph_optimization_level": "ORT_ENABLE_MOST"}, "must be one of"),
        ({"extra": {"intra_op_num_threads": 2}}, "has an option of its own"),
        ({"extra": {"no_such_setting": 2}}, "no_such_setting"),
    ],
)
def test_an_option_that_cannot_be_is_told(options: dict[str, object], said: str) -> None:
    with pytest.raises(LlemError, match=said):
        OnnxEngine().load(config(engine_options={"onnx": options}))


def test_what_took_effect_is_described(session: OnnxSession) -> None:
    described = session.describe()
    assert described["dtype"] == "float32"
    assert described["threads"] == 1
    assert described["versions"]["onnxruntime-genai"].startswith("0.18")
    assert described["model"]["sha256"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "cuda"}, "CPUs only"),
        ({"dtype": "bfloat16"}, "float32"),
        ({"quantization": "fp8"}, "int8 and int4"),
        ({"tensor_parallel_size": 2}, "one process"),
        ({"model": "builtin/none"}, "no built-in model"),
    ],
)
def test_what_cannot_be_is_told(changes: dict[str, object], said: str) -> None:
    from pytest_llem_onnx.engine import OnnxEngine

    with pytest.raises(EngineError, match=said):
        OnnxEngine().load(config(**changes))


def test_requests_that_cannot_be_served_are_refused(session: OnnxSession) -> None:
    with pytest.raises(EngineError, match="end of sequence"):
        session.generate([Request("one", (5, 6), 3, ignore_eos=False)])
    with pytest.raises(EngineError, match="padding token"):
        session.generate([Request("one", (5, 1, 6), 3)])
    with pytest.raises(EngineError, match="positions"):
        session.generate([Request("one", (5, 6), 10**6)])


def test_a_closed_session_says_so() -> None:
    from pytest_llem_onnx.engine import OnnxEngine

    closed = OnnxEngine().load(config())
    closed.close()
    closed.close()
    with pytest.raises(EngineError, match="closed"):
        closed.generate([Request("one", (5, 6), 3)])
