from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.problems import problems_of, unknown_field, unknown_value
from pytest_llem.config.study import StudyConfig


def texts(model: type[BaseModel], given: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return [str(problem) for problem in problems_of(caught.value, model)]


def test_a_number_out_of_range_names_field_value_and_range() -> None:
    assert texts(ExperimentConfig, {"batch_size": 0}) == [
        "batch_size=0: must be a whole number from 1 to 1000000."
    ]


def test_a_wrong_choice_lists_the_choices_and_the_nearest() -> None:
    (text,) = texts(ExperimentConfig, {"dtype": "float31"})
    assert text.startswith("dtype='float31': must be one of 'auto', 'float32', 'float16'")
    assert text.endswith("Did you mean 'float32'?")


def test_an_unknown_field_names_the_nearest_and_all_others() -> None:
    (text,) = texts(ExperimentConfig, {"batchsize": 8})
    assert text.startswith("batchsize=8: there is no such field. Did you mean 'batch_size'? Known:")
    assert "input_tokens" in text


def test_an_option_of_a_section_is_named_with_its_section() -> None:
    (text,) = texts(ExperimentConfig, {"vllm": {"max_seqs": 3}})
    assert "vllm.max_seqs=3" in text
    assert "Did you mean 'vllm.max_num_seqs'?" in text


def test_every_wrong_field_gets_its_own_sentence() -> None:
    found = texts(ExperimentConfig, {"batch_size": 0, "seed": -1, "vllm": 3})
    assert [text.partition("=")[0] for text in found] == ["batch_size", "seed", "vllm"]


def test_an_item_of_a_list_is_named_by_its_position() -> None:
    assert texts(ExperimentConfig, {"prompts": ["a", 3]}) == ["prompts[1]=3: must be a text."]


def test_experiments_of_a_study_are_named_by_their_position() -> None:
    found = texts(StudyConfig, {"experiments": [{"batch_size": 0}, {"vllm": {"seqs": 1}}]})
    assert found[0].startswith("experiments[0].batch_size=0: must be a whole number")
    assert found[1].startswith("experiments[1].vllm.seqs=1: there is no such field.")


def test_a_missing_field_is_called_required() -> None:
    assert texts(StudyConfig, {}) == ["experiments: is required."]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"measurement": {"window_s": 0}}, "greater than 0 and at most 3600"),
        ({"seed": 2**32}, "at least 0 and less than 4294967296"),
        ({"quantization": "int3"}, "one of 'int8', 'int4', 'fp8', 'awq', 'gptq' or None"),
        ({"vllm": {"enforce_eager": "perhaps"}}, "must be True or False"),
        ({"model": " "}, "a text that is not empty"),
        ({"prompts": []}, "a list that is not empty, each item a text or None"),
    ],
)
def test_what_is_allowed_is_said_in_words(given: dict[str, Any], said: str) -> None:
    assert said in texts(ExperimentConfig, given)[0]


def test_a_long_value_is_shortened() -> None:
    (text,) = texts(ExperimentConfig, {"batch_size": "x" * 10_000})
    assert len(text) < 200


def test_an_unknown_value_lists_what_is_known() -> None:
    text = str(unknown_value("backend", "vlm", ["transformers", "vllm"], "engine"))
    assert text == (
        "backend='vlm': there is no such engine. Did you mean 'vllm'? Known: transformers, vllm."
    )


def test_nothing_is_guessed_where_nothing_is_near() -> None:
    assert "Did you mean" not in str(unknown_field("zzz", 1, ["batch_size"]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(ExperimentConfig.model_fields)) | st.text(), JSON))
def test_any_mistake_gives_one_line_that_begins_with_a_name(given: dict[str, Any]) -> None:
    try:
        ExperimentConfig.model_validate(given)
    except ValidationError as error:
        problems = problems_of(error, ExperimentConfig)
        assert problems
        for problem in problems:
            assert any(problem.path.startswith(name) for name in given)
            assert str(problem).isprintable()
            assert str(problem).endswith((".", "?"))
