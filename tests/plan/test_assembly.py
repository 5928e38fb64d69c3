"""Points put together from single values equal those that are validated as a whole."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import identity_hash
from pytest_llem.config.leaves import FIELDS, SECTIONS, Leaf, leaf, leaves_of, options_of
from pytest_llem.plan.assembly import Assembly
from pytest_llem.plan.point import Point

WORDS = st.text(min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
COUNTS = st.integers(1, 1000)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "backend": st.sampled_from(["transformers", "vllm", "tensorrt_llm", "openai", "other"]),
    "model": WORDS,
    "revision": st.none() | WORDS,
    "dtype": st.sampled_from(["auto", "float32", "float16", "bfloat16"]),
    "quantization": st.sampled_from([None, "int8", "int4", "fp8", "awq", "gptq"]),
    "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
    "tensor_parallel_size": st.integers(1, 8),
    "pipeline_parallel_size": st.integers(1, 8),
    "batch_size": COUNTS | COUNTS.map(str),
    "input_tokens": COUNTS | COUNTS.map(float),
    "output_tokens": COUNTS,
    "prompts": st.none() | st.lists(st.text(max_size=5), min_size=1, max_size=3),
    "seed": st.integers(0, 2**32 - 1),
    "transformers.torch_compile": st.booleans(),
    "transformers.bad_words_ids": st.none() | st.just([[1], [2, 3]]),
    "transformers.extra": st.dictionaries(st.text(max_size=3), st.none() | st.floats(0, 1)),
    "vllm.max_num_seqs": st.none() | COUNTS,
    "vllm.gpu_memory_utilization": st.none() | st.floats(0.01, 1),
    "vllm.enforce_eager": st.booleans(),
    "vllm.async_scheduling": st.none() | st.booleans(),
    "vllm.cudagraph_capture_sizes": st.none() | st.lists(COUNTS, min_size=1, max_size=2),
    "tensorrt_llm.max_batch_size": st.none() | COUNTS,
    "openai.served_model": st.none() | WORDS.map(str.strip),
    "traffic.rate_per_s": st.none() | st.floats(0.1, 9),
    "measurement.windows": COUNTS,
    "workload.turns": st.integers(1, 3),
    "workload.lengths": st.sampled_from(["fixed", "lognormal", "own"]),
    "workload.extra": st.dictionaries(st.text(max_size=3), st.none() | st.floats(0, 1)),
    "measurement.window_s": st.integers(1, 9) | st.floats(0.1, 9),
}
ASSIGNMENTS = st.fixed_dictionaries({}, optional=VALUES)


def nested(assignments: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for path, value in assignments.items():
        section, dot, name = path.rpartition(".")
        if dot:
            whole.setdefault(section, {})[name] = value
        else:
            whole[name] = value
    return whole


def leaves(assignments: dict[str, Any]) -> dict[str, Leaf]:
    found = {path: leaf(path, value) for path, value in assignments.items()}
    return {path: item for path, item in found.items() if isinstance(item, Leaf)}


def test_every_field_is_tried_here() -> None:
    assert {path.partition(".")[0] for path in VALUES} == FIELDS


@given(shared=ASSIGNMENTS, own=ASSIGNMENTS, arguments=st.dictionaries(WORDS, WORDS, max_size=2))
def test_an_assembled_point_equals_full_validation(
    shared: dict[str, Any], own: dict[str, Any], arguments: dict[str, str]
) -> None:
    assembly = Assembly("group", leaves(shared))
    varied = leaves(own)
    config = assembly.config(varied.values())
    whole = ExperimentConfig.model_validate(nested({**shared, **own}))
    assert config == whole
    assert config.model_dump(mode="json") == whole.model_dump(mode="json")
    assert config.model_fields_set == whole.model_fields_set
    assert assembly.backend(varied) == whole.backend
    identity = assembly.identity(varied.values(), whole.backend, arguments)
    assert identity == identity_hash(whole, arguments)


@given(ASSIGNMENTS)
def test_a_section_at_once_is_the_same_as_its_options(assignments: dict[str, Any]) -> None:
    found = {
        item.path: item.plain
        for name, value in nested(assignments).items()
        for item in leaves_of(name, value)
        if isinstance(item, Leaf)
    }
    assert found == {path: item.plain for path, item in leaves(assignments).items()}


def test_every_option_of_every_section_can_be_set_by_its_path() -> None:
    for section in SECTIONS:
        default = getattr(ExperimentConfig(), section)
        for option in options_of(section):
            assert isinstance(leaf(f"{section}.{option}", getattr(default, option)), Leaf)


def test_true_is_not_mistaken_for_an_equal_number_seen_before() -> None:
    as_number, as_flag = leaf("vllm.extra", {"x": 1}), leaf("vllm.extra", {"x": True})
    assert isinstance(as_number, Leaf)
    assert isinstance(as_flag, Leaf)
    assert (as_number.plain, as_flag.plain) == ({"x": 1}, {"x": True})
    assert as_number.text != as_flag.text


def test_a_value_that_is_no_json_is_a_problem() -> None:
    assert "must be made of texts" in str(leaf("vllm.extra", {"x": object()}))


def test_a_planned_point_gives_its_configuration_when_asked() -> None:
    from pytest_llem.plan.planned import PlannedPoint

    varied = tuple(leaves({"batch_size": 8, "vllm.max_num_seqs": 64}).values())
    point = PlannedPoint.of(Assembly("group", {}), "8-64", {}, varied)
    assert isinstance(point, Point)
    assert point.config is not None
    assert point.identity == identity_hash(point.config)
    assert point.node_id == "group[8-64]"
    assert point.config is point.config
    assert point.config is not None
    assert (point.config.batch_size, point.config.vllm.max_num_seqs) == (8, 64)
    assert point.axes == {"batch_size": 8, "vllm.max_num_seqs": 64}
    assert point.invalid is None
