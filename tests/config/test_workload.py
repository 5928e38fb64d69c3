"""The workload's part in the identity, and the file that it names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.context import longest_context
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import config_hash, identity_of
from pytest_llem.config.pinning import pinned_config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        ({}, "dee5ebd985bd7084"),
        (
            {"batch_size": 8, "input_tokens": 512, "dtype": "bfloat16"},
            "ef3b585dfb6f353b",
        ),
        ({"backend": "vllm", "vllm": {"max_num_seqs": 4}, "seed": 7}, "f18296688a116422"),
        (
            {"prompts": ("a", "b"), "measurement": {"windows": 2}, "device": "cpu"},
            "9d0c02cf09df1d24",
        ),
        (
            {
                "backend": "tensorrt_llm",
                "quantization": "fp8",
                "revision": "x",
                "model": "org/m",
            },
            "0f159dd59a345395",
        ),
    ],
)
def test_experiments_of_before_there_were_workloads_keep_their_identity(
    given: dict[str, Any], identity: str
) -> None:
    assert config_hash(ExperimentConfig.model_validate(given)) == identity


def hash_of(**workload: Any) -> str:
    return config_hash(ExperimentConfig.model_validate({"workload": workload}))


def test_what_differs_from_a_plain_batch_belongs_to_the_identity() -> None:
    assert hash_of(source="synthetic", turns=1) == hash_of()
    changes: list[dict[str, Any]] = [
        {"lengths": "lognormal"},
        {"lengths": "sharegpt"},
        {"input_lengths": (3, 4)},
        {"output_lengths": (3, 4)},
        {"turns": 2},
        {"source": "jsonl"},
        {"source": "jsonl", "field": "text"},
        {"shuffle": True},
        {"extra": {"a": 1}},
    ]
    assert len({hash_of(), *(hash_of(**change) for change in changes)}) == len(changes) + 1
    config = ExperimentConfig.model_validate({"workload": {"turns": 2}})
    assert identity_of(config)["workload"] == {"turns": 2}


def test_a_file_counts_by_its_content_and_not_by_its_place(tmp_path: Path) -> None:
    hashes = []
    for name, text in (("a.jsonl", "one"), ("b.jsonl", "one"), ("c.jsonl", "two")):
        (tmp_path / name).write_text(text)
        config = ExperimentConfig.model_validate({"workload": {"source": "jsonl", "path": name}})
        found = pinned_config(config, tmp_path)
        assert found.workload.path == str(tmp_path / name)
        assert found.workload.sha256 == hashlib.sha256(text.encode()).hexdigest()
        hashes.append(config_hash(found))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_file_that_changes_changes_the_identity(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    config = ExperimentConfig.model_validate({"workload": {"path": str(file)}})
    file.write_text("one")
    before = config_hash(pinned_config(config, tmp_path))
    file.write_text("another")
    assert config_hash(pinned_config(config, tmp_path)) != before


def test_a_missing_file_is_left_for_the_experiment_to_tell(tmp_path: Path) -> None:
    config = ExperimentConfig.model_validate({"workload": {"path": "none.jsonl"}})
    assert pinned_config(config, tmp_path).workload.sha256 is None


@pytest.mark.parametrize(
    ("workload", "tokens"),
    [
        ({}, 150),
        ({"input_lengths": (10, 200), "output_lengths": (5, 7)}, 207),
        ({"turns": 3}, 100 + 50 + 2 * (50 + 100)),
        ({"turns": 3, "turn_tokens": 10}, 100 + 50 + 2 * (50 + 10)),
        ({"lengths": "sharegpt"}, None),
    ],
)
def test_the_longest_sequence_is_known_before_anything_runs(
    workload: dict[str, Any], tokens: int | None
) -> None:
    config = ExperimentConfig.model_validate(
        {"input_tokens": 100, "output_tokens": 50, "workload": workload}
    )
    assert longest_context(config) == tokens
