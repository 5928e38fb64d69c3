"""The devices of a server that runs already are those that are declared."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.assignment import devices_for, interchangeable
from pytest_llem.devices.meter import Capability, Device
from pytest_llem.devices.server import server_port
from pytest_llem.errors import ConfigError


def gpu(number: int) -> Device:
    return Device(
        f"GPU-{number}{number}", "H100", Capability("gpu", "counter", 0.001, None), number
    )


GPUS = [gpu(0), gpu(1), gpu(2)]
PACKAGE = Device("package-0", "CPU", Capability("package", "counter", 0.001, None))


def server(device: str = "auto", **options: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {"backend": "openai", "device": device, "openai": options}
    )


@pytest.mark.parametrize(
    ("device", "numbers"),
    [("cuda:1", [1]), ("cuda:2,cuda:0", [2, 0]), ("GPU-11, GPU-22", [1, 2]), ("cpu", [])],
)
def test_gpus_are_declared_by_number_or_uuid(device: str, numbers: list[int]) -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "0"}  # it says nothing of another process
    found = devices_for(server(device), [*GPUS, PACKAGE], environ)
    assert found == [*(GPUS[number] for number in numbers), PACKAGE]


def test_the_only_gpu_need_not_be_declared() -> None:
    assert devices_for(server(), [gpu(0)], {}) == [gpu(0)]
    assert devices_for(server(), [PACKAGE], {}) == [PACKAGE]


def test_nobody_guesses_among_several() -> None:
    with pytest.raises(ConfigError, match=r"which of 3 GPUs.*GPU-00 \(H100\)"):
        devices_for(server(), GPUS, {})


@pytest.mark.parametrize("device", ["cuda:7", "GPU-9", "GPU-", "cuda:0,", "tpu"])
def test_a_gpu_that_is_not_there_is_named(device: str) -> None:
    with pytest.raises(ConfigError, match="of the GPUs here"):
        devices_for(server(device), GPUS, {})


def test_its_gpus_are_no_matter_of_choice() -> None:
    assert interchangeable(server("cuda:1"), GPUS, {}) == ([], 0)


def test_a_server_that_is_started_here_is_an_experiment_like_others() -> None:
    started = server(command="serve")
    assert server_port(started) is None
    visible = {"CUDA_VISIBLE_DEVICES": "GPU-11", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert devices_for(started, GPUS, visible) == [GPUS[1]]


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://127.0.0.1:81/v1", 81), ("http://localhost/v1", 80), ("https://localhost/v1", 443)],
)
def test_its_port_is_that_of_the_url(url: str, port: int) -> None:
    assert server_port(server(base_url=url)) == port


def test_a_server_on_another_machine_is_refused_unless_its_devices_are_declared() -> None:
    elsewhere = {"base_url": "http://192.0.2.1:8000/v1"}
    with pytest.raises(ConfigError, match="not on this machine"):
        server_port(server(**elsewhere))
    assert server_port(server("cuda:0", **elsewhere)) == 8000
