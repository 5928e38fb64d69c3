"""What an experiment needs of the host, for one that runs in a container."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.devices.assignment import GPU_SCOPES
from pytest_llem.devices.nvml.meter import driver_facts
from pytest_llem.devices.visibility import VISIBLE, visible_gpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device
    from pytest_llem.isolation.launcher import Command


def for_container(command: Command, config: ExperimentConfig, devices: Sequence[Device]) -> Command:
    """*command* with the GPUs and the folders that *config* needs.

    The GPUs are those that CUDA would show to the process on the host, by UUID and in that
    order, so that ``cuda:1`` is the same GPU inside. Where no meter knows the GPUs, all of
    the driver's are given, and ``CUDA_VISIBLE_DEVICES`` means inside what it means outside.

    Raises:
        ConfigError, MeterError: ``CUDA_VISIBLE_DEVICES`` cannot be read.
    """
    folder = Path(command.directory, config.model).absolute()
    if folder.is_dir():
        command = replace(command, directories=(*command.directories, folder))
    if config.device == "cpu":
        return command
    gpus = {  # several meters may know the same one
        device.uuid: device
        for device in devices
        if device.capability.scope in GPU_SCOPES and device.uuid.startswith("GPU-")
    }
    if not gpus:
        return replace(command, gpus=_of_driver())
    seen = visible_gpus(list(gpus.values()), {**os.environ, **command.environment}).gpus
    uuids = tuple(device.uuid for device in seen)
    environment = {**command.environment, VISIBLE: ",".join(uuids)}
    return replace(command, gpus=uuids, environment=environment)


def _of_driver() -> tuple[str, ...]:
    facts = driver_facts() or {}
    return tuple(gpu["uuid"] for gpu in facts.get("gpus") or () if gpu.get("uuid"))
