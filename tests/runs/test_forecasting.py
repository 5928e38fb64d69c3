"""What experiments are expected to take: earlier runs, baselines, a model, or nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import identity_hash
from pytest_llem.energy.floor.accelerators import accelerator_named
from pytest_llem.engines.builtin.tiny import CONFIG
from pytest_llem.plan.memory.facts import ModelFacts
from pytest_llem.plan.memory.fit import Room
from pytest_llem.plan.memory.fits import Fits
from pytest_llem.plan.memory.need import footprint_of
from pytest_llem.plan.point import Point
from pytest_llem.results.names import repeat_name
from pytest_llem.runs.fitting import StatedDevice
from pytest_llem.runs.forecasting.earlier import EarlierRuns, energy_over
from pytest_llem.runs.forecasting.forecaster import Expected
from pytest_llem.runs.forecasting.modelled import shape_of

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
HOST = Room("the host", 16 * GIB, 1, is_gpu=False)
H100 = Room("NVIDIA H100 80GB HBM3", 80 * GIB, 1)
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def point(**values: Any) -> Point:
    config = ExperimentConfig.model_validate(values)
    return Point("test_it.py::test_it", "a", config, identity_hash(config))


def keep(root: Path, run: str, of: Point, repeat: int = 0, **changes: Any) -> None:
    """Store what a result says that a forecast reads."""
    assert of.config is not None
    said = {
        "run_id": run,
        "outcome": "passed",
        "wall_s": 30.0,
        "config": of.config.model_dump(mode="json"),
        "measurements": [
            {"duration_s": 0.5, "power_w": 100.0, "prefill": None, "idle": {"power_w": 10.0}}
        ],
        "measurement_methodology": {"scope": "process", "devices": []},
        **changes,
    }
    results = root / "runs" / run / "results"
    results.mkdir(parents=True, exist_ok=True)
    name = repeat_name(of.experiment_id, repeat)
    (results / f"{name}.json").write_text(json.dumps(said))


def expected(root: Path, room: Room = HOST, raw: dict[str, Any] | None = None) -> Expected:
    fits = Fits(lambda model, revision: ModelFacts(raw or CONFIG), lambda config: room)
    modelled = accelerator_named(room.name) is not None
    return Expected(fits, EarlierRuns(root), None, lambda point: None, modelled=modelled)


def test_an_earlier_run_of_the_same_experiment_says_how_long_it_takes(tmp_path: Path) -> None:
    asked, other = point(), point(batch_size=2)
    keep(tmp_path, "20260101T000000.000Z-aaaaaa", asked, wall_s=99.0)
    keep(tmp_path, "20260102T000000.000Z-bbbbbb", asked)
    found = expected(tmp_path).of(asked)
    assert (found.origin, found.wall_s, found.gpus) == ("run", 30.0, 0)
    assert "20260102" in found.how
    active = 3 * 0.5 + 5 * 1.0 + 3 * 1.0  # warm-up, windows, prefill windows
    assert found.energy_j == pytest.approx(100 * active + 10 * (30 - active))
    unknown = expected(tmp_path).of(other)
    assert (unknown.origin, unknown.wall_s, unknown.energy_j) == ("unknown", None, None)


def test_a_run_that_measured_otherwise_tells_by_its_passes(tmp_path: Path) -> None:
    keep(tmp_path, "20260101T000000.000Z-aaaaaa", point())
    longer = point(measurement={"windows": 50})
    found = expected(tmp_path).of(longer)
    assert found.wall_s is not None
    assert found.wall_s > 50
    assert "in another way" in found.how


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "failed"},
        {"measurements": []},
        {"measurements": [{"duration_s": None}]},
        {"measurements": [{"duration_s": 10**400}]},
        {"measurements": [{"duration_s": 0}]},
        {"measurements": [{"duration_s": 1, "power_w": "much"}]},
        {"wall_s": -1},
        {"measurement_methodology": None},
        {"measurement_methodology": {"scope": "gpu", "devices": [{"name": "NVIDIA L4"}]}},
    ],
)
def test_a_result_that_says_nothing_is_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    asked = point()
    keep(tmp_path, "20260101T000000.000Z-aaaaaa", asked, wall_s=7.0)
    keep(tmp_path, "20260102T000000.000Z-bbbbbb", asked, **changes)
    assert expected(tmp_path).of(asked).wall_s == 7.0


def test_a_broken_file_and_a_missing_directory_are_no_trouble(tmp_path: Path) -> None:
    assert not EarlierRuns(tmp_path / "nowhere").any()
    asked = point()
    keep(tmp_path, "20260101T000000.000Z-aaaaaa", asked)
    for file in tmp_path.rglob("*.json"):
        file.write_bytes(b"\xff{")
    assert expected(tmp_path).of(asked).origin == "unknown"


def test_without_any_of_them_nothing_is_foretold(tmp_path: Path) -> None:
    assert "no earlier run" in str(expected(tmp_path).hopeless())
    assert expected(tmp_path, H100).hopeless() is None


def test_a_model_of_the_machine_tells_the_least(tmp_path: Path) -> None:
    asked = point(model="org/llama", batch_size=64, input_tokens=512, output_tokens=256)
    found = expected(tmp_path, H100, LLAMA).of(asked)
    assert (found.origin, found.gpus) == ("model", 1)
    # A step reads 15 GB of weights and, of 64 requests, 640 tokens of 131,072 bytes: 6.1 ms at
    # 3.35 TB/s; 255 steps and a prefill of 0.5 s take 2.0 s, of which one fills each of 5 windows, and three
    # prefills one of 3.
    step_s = (2 * (8_030_261_248 - 128256 * 4096) + 64 * 131_072 * 640) / 3.35e12
    prefill_s = 64 * 512 * 2 * (8_030_261_248 - 128256 * 4096) / 989e12
    pass_s = prefill_s + 255 * step_s
    assert found.wall_s == pytest.approx(
        8 + 16.06 + 1 + 3 * pass_s + 5 * pass_s + 3 * 3 * prefill_s, rel=0.02
    )
    assert found.energy_j is not None
    assert 120 < found.energy_j / found.wall_s < 700


@pytest.mark.parametrize("raw", [LLAMA, CONFIG])
def test_the_shape_of_a_configuration_is_plausible(raw: dict[str, Any]) -> None:
    facts = ModelFacts(raw)
    footprint = footprint_of(ExperimentConfig(), facts)
    shape = shape_of(facts, footprint)
    assert shape.plausible
    assert shape.kv_bytes(100) == footprint.cache.bytes_of(100)


def test_resting_power_that_is_unknown_is_taken_to_be_that_of_the_load() -> None:
    assert energy_over(None, 5.0, 1, 2) is None
    assert energy_over(100.0, None, 1, 2) == 200
    assert energy_over(100.0, 0.0, 1, 2) == 100


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [
        ("80GiB", "the stated device", 80 * GIB),
        ("NVIDIA L4:24GiB", "NVIDIA L4", 24 * GIB),
    ],
)
def test_a_stated_device_has_a_size_and_may_have_a_name(text: str, name: str, size: int) -> None:
    stated = StatedDevice.of(text)
    assert (stated.name, stated.total_bytes) == (name, size)
