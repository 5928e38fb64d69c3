"""What an experiment in a container is given of the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.isolation.launcher import Command
from pytest_llem.runs.contained import for_container

COUNTER = Capability("gpu", "counter", resolution_j=0.001, update_period_s=None)
PACKAGE = Capability("package", "counter", resolution_j=0.001, update_period_s=None)
GPUS = [Device(f"GPU-{n}aaa", "H100", COUNTER, index=n) for n in range(3)]
DEVICES = [*GPUS, Device("rapl-0", "EPYC", PACKAGE, index=0), GPUS[0]]


def given(visible: str | None = None, **config: object) -> Command:
    variables = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    command = Command([], Path("/project"), variables)
    return for_container(command, ExperimentConfig.model_validate(config), DEVICES)


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_all_visible_gpus_are_given_once_and_in_order() -> None:
    command = given()
    assert command.gpus == ("GPU-0aaa", "GPU-1aaa", "GPU-2aaa")
    assert command.environment["CUDA_VISIBLE_DEVICES"] == "GPU-0aaa,GPU-1aaa,GPU-2aaa"


@pytest.mark.parametrize("visible", ["2,0", "GPU-2,GPU-0"])
def test_the_same_number_is_the_same_gpu_inside(visible: str) -> None:
    command = given(visible, device="cuda:1")
    assert command.gpus == ("GPU-2aaa", "GPU-0aaa")
    assert command.environment["CUDA_VISIBLE_DEVICES"] == "GPU-2aaa,GPU-0aaa"


def test_an_experiment_on_the_processor_is_given_none() -> None:
    assert given(device="cpu").gpus == ()
    assert given("").gpus == ()


def test_a_model_in_a_folder_is_made_visible(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert given(model=str(tmp_path / "model")).directories == (tmp_path / "model",)
    assert given(model="Qwen/Qwen3-0.6B").directories == ()
