"""The engines' sections: what they cost, what identifies an experiment, what is said of mistakes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pytest_llem.config.engines import TensorrtLlmOptions, TransformersOptions, VllmOptions
from pytest_llem.config.experiment import ENGINE_SECTIONS, ExperimentConfig
from pytest_llem.config.identity import identity_hash, identity_of
from pytest_llem.config.measurement import MeasurementConfig
from pytest_llem.config.problems import problems_of
from pytest_llem.config.reference import reference
from pytest_llem.config.sections import ALWAYS, MODELS, default_of, model_of
from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.config.workload import WorkloadConfig

SOURCE = Path(__file__).parents[2] / "src"
OPTIONS_FILE = Path(__file__).parents[2] / "docs/options.md"
STORED = {
    "transformers": "dee5ebd985bd7084",
    "vllm": "91d4e87772706cb9",
    "tensorrt_llm": "c18d19e4218f0c76",
    "openai": "567b760f4627f35b",
}
"""Identities that are in baselines since before the sections had all their options."""
UNTOUCHED = """
import sys
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import identity_hash
config = ExperimentConfig(batch_size=4)
identity_hash(config)
again = ExperimentConfig.model_validate_json(config.model_dump_json())
assert again == config
assert config.transformers.device_map is None and config.vllm.max_num_seqs is None
repr(config), config.model_copy(update={"batch_size": 8}), config.transformers.given()
print([name for name in sys.modules if name.startswith("pytest_llem.config.engines.")])
"""
OPTIONS = {
    "vllm": {
        "max_num_seqs": st.none() | st.integers(1, 99),
        "enforce_eager": st.booleans(),
        "async_scheduling": st.none() | st.booleans(),
        "cudagraph_capture_sizes": st.none() | st.lists(st.integers(1, 64), min_size=1, max_size=3),
        "logit_bias": st.none() | st.dictionaries(st.integers(0, 9), st.floats(-9, 9), max_size=2),
    },
    "transformers": {
        "do_sample": st.none() | st.booleans(),
        "device_map": st.none() | st.just("auto") | st.just({"": "cpu"}),
        "bad_words_ids": st.none() | st.just([[1], [2, 3]]),
        "extra": st.dictionaries(st.text(max_size=3), st.integers() | st.text(), max_size=2),
    },
}


def complaints(**fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        ExperimentConfig(**fields)
    return [str(problem) for problem in problems_of(caught.value, ExperimentConfig)]


def test_an_experiment_that_sets_no_option_loads_no_section() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNTOUCHED],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("engine", ENGINE_SECTIONS)
def test_identities_in_baselines_stay_what_they_are(engine: str) -> None:
    assert identity_hash(ExperimentConfig(backend=engine)) == STORED[engine]


def test_an_option_that_is_set_to_its_default_changes_no_identity() -> None:
    plain = ExperimentConfig(backend="vllm")
    same = ExperimentConfig(backend="vllm", vllm={"spec_tokens": None, "enforce_eager": False})
    assert identity_hash(same) == identity_hash(plain)
    assert identity_of(same) == identity_of(plain)


def test_an_option_that_differs_from_its_default_changes_the_identity() -> None:
    plain = ExperimentConfig(backend="vllm")
    other = ExperimentConfig(backend="vllm", vllm={"async_scheduling": False})
    assert identity_hash(other) != identity_hash(plain)
    assert identity_of(other)["vllm"]["async_scheduling"] is False


@pytest.mark.parametrize("engine", list(OPTIONS))
@given(data=st.data())
def test_what_is_stored_of_a_section_gives_the_section_again(
    engine: str, data: st.DataObject
) -> None:
    options = data.draw(st.fixed_dictionaries({}, optional=OPTIONS[engine]))
    config = ExperimentConfig(backend=engine, **{engine: options})
    stored = config.model_dump_json()
    again = ExperimentConfig.model_validate_json(stored)
    assert again == config
    assert again.model_dump_json() == stored
    assert identity_hash(again) == identity_hash(config)


@pytest.mark.parametrize("engine", ENGINE_SECTIONS)
def test_only_few_options_are_stored_unless_they_are_set(engine: str) -> None:
    stored = json.loads(ExperimentConfig().model_dump_json())[engine]
    assert stored == ALWAYS[engine]
    fields = model_of(engine).model_fields
    assert {name: fields[name].default for name in stored if name != "extra"} == {
        name: value for name, value in stored.items() if name != "extra"
    }


def test_an_untouched_section_is_like_its_model() -> None:
    config = ExperimentConfig()
    assert config.vllm == VllmOptions()
    assert VllmOptions() == config.vllm
    assert config.vllm != VllmOptions(max_num_seqs=3)
    assert config.vllm.speculative_config is None
    assert config.vllm.extra == {}
    assert deepcopy(config) == pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own
    with pytest.raises(AttributeError, match="max_num_seq"):
        _ = config.vllm.max_num_seq


def test_the_default_of_extra_cannot_be_changed_for_others() -> None:
    ExperimentConfig().vllm.model_dump()["extra"]["spilled"] = 1
    json.loads(ExperimentConfig().model_dump_json())
    ExperimentConfig().model_dump()["vllm"]["extra"]["spilled"] = 1
    assert ExperimentConfig().model_dump()["vllm"]["extra"] == {}


@pytest.mark.parametrize("model", [TransformersOptions, VllmOptions, TensorrtLlmOptions])
def test_a_section_shows_only_what_is_set(model: Any) -> None:
    assert repr(model()) == f"{model.__name__}()"
    assert repr(model(extra={"a": 1})) == f"{model.__name__}(extra={{'a': 1}})"


@pytest.mark.parametrize("engine", list(MODELS))
def test_every_option_is_documented_in_one_line_and_left_to_the_engine(engine: str) -> None:
    model = model_of(engine)
    for name, field in model.model_fields.items():
        assert field.description, name
        assert "\n\n" not in field.description, name
        assert field.description.endswith("."), name
        if name not in {"extra", *model.OWN}:
            assert field.default == ALWAYS[engine].get(name), name


@pytest.mark.parametrize("engine", list(MODELS))
def test_every_option_goes_to_one_place(engine: str) -> None:
    model = model_of(engine)
    placed = [*model.OWN, "extra", *(name for names in model.GROUPS.values() for name in names)]
    assert sorted(placed) == sorted(model.model_fields)
    assert set(model.ELSEWHERE.values()) <= set(ExperimentConfig.model_fields)
    assert default_of(engine).given() == {}


def test_an_unknown_option_is_answered_with_the_nearest() -> None:
    (said,) = complaints(vllm={"max_num_seq": 4})
    assert said.startswith("vllm.max_num_seq=4: there is no such field.")
    assert "Did you mean 'vllm.max_num_seqs'?" in said
    assert len(said) < 400


def test_every_mistake_in_a_section_is_told_with_its_place_and_what_is_allowed() -> None:
    assert complaints(
        transformers={"top_p": 2, "attn_implementation": "sdp"}, vllm={"watermark": 1}
    ) == [
        (
            "transformers.attn_implementation='sdp': must be one of 'eager', 'sdpa', "
            "'flash_attention_2', 'flash_attention_3', 'flash_attention_4', 'flex_attention' or None. "
            "Did you mean 'sdpa'?"
        ),
        "transformers.top_p=2: must be a number greater than 0 and at most 1 or None.",
        "vllm.watermark=1: must be a number at least 0 and less than 1 or None.",
    ]


def test_the_document_lists_every_option() -> None:
    remedy = "write it again with: python -m pytest_llem.config.reference docs/options.md"
    assert OPTIONS_FILE.read_text(encoding="utf-8") == reference(), remedy
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    of_engines = sum(len(model_of(name).model_fields) - 1 for name in MODELS)
    models = (ExperimentConfig, MeasurementConfig, TrafficConfig, WorkloadConfig)
    sections = len(MODELS) + len(models)  # and engine_options: fields that have tables of their own
    assert len(rows) == of_engines + sum(len(one.model_fields) for one in models) - sections


def test_what_is_no_mapping_is_told_so() -> None:
    assert complaints(vllm=4) == ["vllm=4: must be a mapping."]
