"""Options of the transformers section: they reach the library, and the work stays the same."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.engines import TransformersOptions
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.engines.effective import differences
from pytest_llem.engines.transformers.engine import TransformersEngine
from pytest_llem.engines.transformers.options import check_supported, pretrained_arguments
from pytest_llem.engines.transformers.session import TransformersSession
from pytest_llem.errors import ConfigError, EngineError
from pytest_llem.workloads.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.engines.transformers.load import Loaded

pytestmark = pytest.mark.usefixtures("torch")
LOADED = {"attn_implementation", "assistant_model", "extra"}
"""Options here that matter to loading."""
PROMPT = tuple(range(20, 50))
EAGERLY = {"do_sample": True, "temperature": 0.8}
DECODING: dict[str, dict[str, Any]] = {
    "sampling": {**EAGERLY, "top_k": 20, "top_p": 0.9, "min_p": 0.001, "typical_p": 0.95},
    "cutoffs": {"do_sample": True, "epsilon_cutoff": 1e-4, "eta_cutoff": 1e-4, "top_h": 0.9},
    "beams": {"num_beams": 3, "length_penalty": 0.5, "early_stopping": True},
    "sampled beams": {"num_beams": 2, "do_sample": True},
    "no cache": {"use_cache": False},
    "static cache": {"cache_implementation": "static", "max_cache_len": 256},
    "chunked prefill": {"prefill_chunk_size": 8},
    "penalties": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    "prompt penalties": {"encoder_repetition_penalty": 1.1, "encoder_no_repeat_ngram_size": 3},
    "logits": {
        "suppress_tokens": [11],
        "begin_suppress_tokens": [12],
        "bad_words_ids": [[5], [6, 7]],
    },
    "bias": {
        "sequence_bias": [[[9], 4.0]],
        "renormalize_logits": True,
        "remove_invalid_values": True,
    },
    "guidance": {"guidance_scale": 1.5},
    "watermark": {"watermarking_config": {"greenlist_ratio": 0.3, "bias": 2.0}},
    "kept scores": {"output_scores": True, "output_logits": True, "output_hidden_states": True},
    "kept attention": {"output_attentions": True, "attn_implementation": "eager"},
    "not compiling": {"disable_compile": True},
}
DRAFTING: dict[str, dict[str, Any]] = {
    "lookup": {"prompt_lookup_num_tokens": 4, "max_matching_ngram_size": 2},
    "assistant": {
        "assistant_model": "builtin/tiny",
        "num_assistant_tokens": 5,
        "num_assistant_tokens_schedule": "constant",
        "assistant_confidence_threshold": 0.0,
    },
    "sampled assistant": {
        **EAGERLY,
        "assistant_model": "builtin/tiny",
        "assistant_ensemble_weight": 0.5,
    },
    "early exit": {"assistant_early_exit": 2, "num_assistant_tokens": 3},
}


@cache
def _plain() -> Loaded:
    config = ExperimentConfig(device="cpu", dtype="float32")
    model = TransformersEngine().load(config)._loaded
    assert model is not None
    return model


@contextmanager
def decoding(options: dict[str, Any], **fields: Any) -> Iterator[TransformersSession]:
    """A session with *options* that do not matter to loading, on a model loaded once."""
    plain = _plain()
    config = plain.config.model_copy(
        update={"transformers": TransformersOptions(**options), **fields}
    )
    check_supported(config)
    plain.torch.manual_seed(config.seed)
    yield TransformersSession(replace(plain, config=config))


@contextmanager
def loaded(options: dict[str, Any], **fields: Any) -> Iterator[TransformersSession]:
    config = ExperimentConfig(
        **{"device": "cpu", "dtype": "float32", **fields}, transformers=options
    )
    session = TransformersEngine().load(config)
    try:
        yield session
    finally:
        session.close()


def requests(*lengths: int) -> list[Request]:
    return [
        Request(str(at), tuple(token + at for token in PROMPT), length)
        for at, length in enumerate(lengths)
    ]


def tokens(options: dict[str, Any], length: int = 24, **fields: Any) -> tuple[int, ...]:
    opened = loaded if options.keys() & LOADED else decoding
    with opened(options, **fields) as session:
        (result,) = session.generate(requests(length)).requests
    assert result.token_ids is not None
    return result.token_ids


@pytest.fixture(scope="module")
def greedy(torch: Any) -> tuple[int, ...]:
    return tokens({})


@pytest.mark.parametrize("options", DECODING.values(), ids=DECODING)
def test_however_tokens_are_chosen_there_are_exactly_as_many_as_asked(
    options: dict[str, Any],
) -> None:
    with (loaded if options.keys() & LOADED else decoding)(options) as session:
        generation = session.generate(requests(24, 9))
        assert [result.output_tokens for result in generation.requests] == [24, 9]
        assert [len(result.token_ids or ()) for result in generation.requests] == [24, 9]
        assert len(generation.step_ns) == 24
        assert [result.finish_ns for result in generation.requests] == [
            generation.step_ns[23],
            generation.step_ns[8],
        ]
        assert differences(session._loaded.config, session.describe()) == []  # type: ignore[union-attr]


@pytest.mark.parametrize("options", DRAFTING.values(), ids=DRAFTING)
@pytest.mark.parametrize("length", [1, 7, 24])
def test_drafting_ahead_changes_neither_the_number_of_tokens_nor_greedy_ones(
    options: dict[str, Any], length: int, greedy: tuple[int, ...]
) -> None:
    with (loaded if options.keys() & LOADED else decoding)(options) as session:
        generation = session.generate(requests(length))
    (result,) = generation.requests
    assert result.output_tokens == length
    assert result.first_token_ns == generation.step_ns[0]
    assert result.finish_ns == generation.step_ns[-1]
    assert 1 <= len(generation.step_ns) <= length
    if not options.get("do_sample"):
        assert result.token_ids == greedy[:length]


def test_a_model_that_drafts_for_itself_needs_fewer_steps() -> None:
    with loaded(DRAFTING["assistant"]) as session:
        generation = session.generate(requests(24))
        assert session.describe()["effective"]["assistant_model"] == "builtin/tiny"
    assert len(generation.step_ns) == 4  # five drafted and one of its own each


@pytest.mark.parametrize(
    "options",
    [
        DECODING["sampling"],
        DECODING["beams"],
        DECODING["guidance"],
        DECODING["watermark"],
        {"sequence_bias": [[[77], 50.0]]},
        {"extra": {"num_hidden_layers": 3}},
    ],
)
def test_options_that_change_the_choice_of_tokens_do_change_it(
    options: dict[str, Any], greedy: tuple[int, ...]
) -> None:
    assert tokens(options) != greedy


def test_a_suppressed_token_never_comes(greedy: tuple[int, ...]) -> None:
    assert greedy[0] not in tokens({"suppress_tokens": [greedy[0]]})
    assert tokens({"begin_suppress_tokens": [greedy[0]]})[0] != greedy[0]
    assert tokens({"forced_eos_token_id": 44})[-1] == 44


def test_sampling_is_that_of_the_seed() -> None:
    assert tokens(EAGERLY, seed=3) == tokens(EAGERLY, seed=3)
    assert tokens(EAGERLY, seed=3) != tokens(EAGERLY, seed=4)


def test_keyword_arguments_reach_from_pretrained() -> None:
    with loaded({"attn_implementation": "eager", "extra": {"num_hidden_layers": 3}}) as session:
        described = session.describe()
        layers = len(session._loaded.model.model.layers)  # type: ignore[union-attr]
    assert described["attn_implementation"] == "eager"
    assert layers == 3


def test_every_loading_option_is_a_keyword_argument_under_its_name(torch: Any) -> None:
    import transformers

    from pytest_llem.engines.model_source import ResolvedModel

    options = {
        "experts_implementation": "eager",
        "offload_folder": "/somewhere",
        "use_safetensors": True,
        "max_memory": {"0": "1GiB", "cpu": "2GiB"},
        "adapter_kwargs": {"subfolder": "x"},
        "key_mapping": {"a": "b"},
        "subfolder": "inside",
        "extra": {"rope_theta": 7.0},
    }
    config = ExperimentConfig(transformers=options)
    source = ResolvedModel("/model", None, "local")
    arguments = pretrained_arguments(config, source, "cpu", transformers)
    options |= {"max_memory": {0: "1GiB", "cpu": "2GiB"}}  # transformers numbers GPUs
    extra = options.pop("extra")
    assert options.items() <= arguments.items()
    assert arguments["rope_theta"] == 7.0
    assert extra.items() <= arguments.items()


def test_compiling_takes_its_options(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda _, **options: seen.append(options))
    options = {
        "torch_compile": True,
        "torch_compile_backend": "eager",
        "torch_compile_dynamic": True,
    }
    with loaded(options) as session:
        said = differences(session._loaded.config, session.describe())  # type: ignore[union-attr]
    assert seen == [{"backend": "eager", "dynamic": True}]
    assert said == ["torch_compile=True was asked for, but False took effect"]


def test_where_generate_compiles_it_takes_the_same_options(torch: Any) -> None:
    options = {"torch_compile": True, "torch_compile_mode": "max-autotune"}
    config = _plain().config.model_copy(update={"transformers": TransformersOptions(**options)})
    by_generate = replace(_plain(), config=config, compiles_itself=True).generation_config(4)
    assert by_generate.compile_config.mode == "max-autotune"
    assert replace(_plain(), config=config).generation_config(4).compile_config is None


def test_the_precision_of_products_is_set(torch: Any) -> None:
    before = torch.get_float32_matmul_precision()
    try:
        with loaded({"float32_matmul_precision": "medium"}) as session:
            assert session.describe()["effective"]["float32_matmul_precision"] == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_another_attention_than_asked_is_a_difference() -> None:
    with loaded({"attn_implementation": "sdpa"}) as session:
        session._loaded.model.config._attn_implementation = "eager"  # type: ignore[union-attr]
        described = session.describe()
    config = ExperimentConfig(transformers={"attn_implementation": "sdpa"})
    assert differences(config, described) == [
        "attn_implementation='sdpa' was asked for, but 'eager' took effect"
    ]


def test_another_data_type_than_asked_is_a_difference() -> None:
    with loaded({}, dtype="float32") as session:
        session._loaded.model.bfloat16()  # type: ignore[union-attr]
        described = session.describe()
    assert json.loads(json.dumps(described)) == described
    assert differences(ExperimentConfig(dtype="float32"), described) == [
        "dtype='float32' was asked for, but 'bfloat16' took effect"
    ]


def test_the_description_names_the_way_of_decoding() -> None:
    for options, name in (({}, "greedy"), (EAGERLY, "sampling"), ({"num_beams": 2}, "beams")):
        with decoding(options) as session:
            assert session.describe()["generation"]["decoding"] == name


@pytest.mark.parametrize(
    ("options", "fields", "error", "said"),
    [
        ({"temperature": 0.5}, {}, ConfigError, "no effect without do_sample=True"),
        ({"top_k": 5, "do_sample": False}, {}, ConfigError, "no effect without do_sample=True"),
        ({"early_stopping": True}, {}, ConfigError, "no effect without num_beams"),
        ({"max_cache_len": 99}, {}, ConfigError, "without a static cache_implementation"),
        ({"num_assistant_tokens": 3}, {}, ConfigError, "without a model that drafts"),
        ({"assistant_ensemble_weight": 0.5}, {}, ConfigError, "without assistant_model"),
        ({"max_matching_ngram_size": 2}, {}, ConfigError, "without prompt_lookup_num_tokens"),
        ({"prompt_lookup_num_tokens": 3}, {"batch_size": 2}, EngineError, "one request at a time"),
        (
            {"prompt_lookup_num_tokens": 3, "num_beams": 2},
            {},
            EngineError,
            "drafts no tokens for beams",
        ),
        ({"torch_compile_mode": "max-autotune"}, {}, ConfigError, "without torch_compile=True"),
        (
            {"cache_config": {"nbits": 4}},
            {},
            ConfigError,
            "without cache_implementation='quantized'",
        ),
        ({"max_memory": {"cpu": "1GiB"}}, {}, ConfigError, "no effect without device_map"),
        ({"code_revision": "main"}, {}, ConfigError, "without trust_remote_code=True"),
        ({"compile_config": {}, "torch_compile": True}, {}, ConfigError, "a static cache"),
        (
            {
                "compile_config": {"mode": "default"},
                "torch_compile": True,
                "cache_implementation": "static",
            },
            {},
            EngineError,
            "on GPUs only",
        ),
        (
            {"use_cache": False, "cache_implementation": "static"},
            {},
            ConfigError,
            "no effect with use_cache=False",
        ),
        ({"extra": {"output_loading_info": False}}, {}, ConfigError, "the engine itself sets it"),
        ({"extra": {"use_kernels": True}}, {}, ConfigError, "set transformers.use_kernels instead"),
        ({"extra": {"torch_dtype": "auto"}}, {}, ConfigError, "set dtype instead"),
        ({"extra": {"do_sample": True}}, {}, ConfigError, "set transformers.do_sample instead"),
        (
            {"quantization_config": {"quant_method": "gptq"}},
            {"quantization": "int8"},
            ConfigError,
            "both say how weights are quantized",
        ),
        ({"use_mtp": True}, {}, EngineError, "num_mtp_layers"),
    ],
)
def test_what_cannot_be_held_is_refused(
    options: dict[str, Any], fields: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said), loaded(options, **fields) as session:
        session.generate(requests(4))


def test_beams_for_requests_that_may_end_early_are_refused() -> None:
    request = Request("r", PROMPT, 4, ignore_eos=False)
    with (
        decoding({"num_beams": 2}) as session,
        pytest.raises(EngineError, match="no fixed amount of work"),
    ):
        session.generate([request])
