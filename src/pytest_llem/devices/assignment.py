"""Exactly the devices that an experiment uses: its energy is theirs, never a neighbour's."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pytest_llem.devices.hip import AMD, showing_to_hip, visible_to_hip
from pytest_llem.devices.server import declared_gpus, server_port
from pytest_llem.devices.visibility import NVIDIA, VISIBLE, visible_gpus
from pytest_llem.errors import ConfigError, MeterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device
    from pytest_llem.devices.visibility import Visibility

GPU_SCOPES = frozenset({"gpu", "module"})


def devices_for(
    config: ExperimentConfig, devices: Sequence[Device], environ: Mapping[str, str]
) -> list[Device]:
    """The devices whose energy is the experiment's, in the order of its ranks.

    Devices that cover everything (a system on a chip, a replay) are returned alone. Else
    devices other than GPUs (CPU packages, memory, the estimate) cover every experiment and
    follow behind the GPUs. Of GPUs these are the first ``tensor_parallel_size ×
    pipeline_parallel_size`` that CUDA or HIP shows, the one that ``device="cuda:N"`` names, or
    all visible ones where transformers' ``device_map`` spreads a model over them; none for an
    experiment on the CPU: ``device="cpu"``, or ``auto`` with no GPU visible.

    Args:
        config: the experiment.
        devices: all devices of the meter; GPUs in the order of their PCI bus ids, or of HIP.
        environ: environment of the experiment's process.

    Raises:
        ConfigError: the device is no device, too few GPUs are visible, or it cannot be
            told which GPUs would be taken.
        MeterError: one of the GPUs cannot be measured.
    """
    if server_port(config) is not None:
        return _of_server(config, devices)
    if everything := [device for device in devices if device.covers_all and not device.refusal]:
        return everything
    gpus = [device for device in devices if device.capability.scope in GPU_SCOPES]
    others = [device for device in devices if device not in gpus and not device.refusal]
    return [*(_gpus_for(config, gpus, environ) if gpus else ()), *others]


def interchangeable(
    config: ExperimentConfig, devices: Sequence[Device], environ: Mapping[str, str]
) -> tuple[list[Device], int]:
    """GPUs of which any so many would do as well as those that :func:`devices_for` gives.

    They are the visible ones of the same model, in the order of CUDA or HIP. There are none
    where the GPUs are no matter of choice: ``device="cuda:N"`` names one, a ``device_map``
    takes all, GPUs of several models are taken together, or a process could not be shown
    single ones of them.

    Returns:
        The GPUs, and how many of them the experiment uses; ``[], 0`` without a choice.

    Raises:
        ConfigError, MeterError: as :func:`devices_for`.
    """
    if server_port(config) is not None:
        return [], 0  # it runs where it runs
    used = [one for one in devices_for(config, devices, environ) if is_single_gpu(one)]
    gpus = [one for one in devices if one.capability.scope in GPU_SCOPES]
    if not used or not _is_choice(_placement(config)) or len({gpu.name for gpu in used}) > 1:
        return [], 0
    if not all(gpu.uuid.startswith((AMD, NVIDIA)) for gpu in gpus):
        return [], 0
    seen = _visible(gpus, environ).gpus
    alike = [gpu for gpu in seen if gpu.name == used[0].name and not gpu.refusal]
    return alike, len(used)


def showing(
    used: Sequence[Device], devices: Sequence[Device], environ: Mapping[str, str]
) -> dict[str, str]:
    """What a process's environment has to say so that it sees *used* only, in that order.

    Args:
        used: what :func:`interchangeable` gave, or some of it.
        devices: all devices of the meter.
        environ: the environment that this is added to.
    """
    if not used[0].uuid.startswith(AMD):
        return {VISIBLE: ",".join(gpu.uuid for gpu in used)}
    return showing_to_hip(used, [gpu for gpu in devices if gpu.uuid.startswith(AMD)], environ)


def _is_choice(placement: str) -> bool:
    return placement in {"auto", "cuda"}


def is_single_gpu(device: Device) -> bool:
    """Whether what is read of *device* is one GPU's, rather than a whole machine's."""
    return device.capability.scope in GPU_SCOPES and not device.covers_all


def _of_server(config: ExperimentConfig, devices: Sequence[Device]) -> list[Device]:
    """What a server runs on that somebody else started: as declared, else what there is."""
    if everything := [device for device in devices if device.covers_all and not device.refusal]:
        return everything
    gpus = [device for device in devices if device.capability.scope in GPU_SCOPES]
    used = declared_gpus(config, gpus)
    _check_measurable(used)
    others = [device for device in devices if device not in gpus and not device.refusal]
    return [*used, *others]


def _gpus_for(
    config: ExperimentConfig, gpus: Sequence[Device], environ: Mapping[str, str]
) -> list[Device]:
    placement = _placement(config)
    if placement == "cpu":
        return []
    visibility = _visible(gpus, environ)
    if placement == "auto" and not visibility.gpus:
        return []
    used = _take(config, visibility, *_span(config, placement, len(visibility.gpus)))
    _check_certain(used, gpus, visibility)
    _check_measurable(used)
    return used


def _visible(gpus: Sequence[Device], environ: Mapping[str, str]) -> Visibility:
    amd = all(gpu.uuid.startswith(AMD) for gpu in gpus)
    return visible_to_hip(gpus, environ) if amd else visible_gpus(gpus, environ)


def _placement(config: ExperimentConfig) -> str:
    """``auto``, ``cpu``, ``cuda``, ``cuda:N``, or ``every`` visible GPU."""
    if config.backend == "transformers" and config.transformers.device_map is not None:
        placed = config.transformers.device_map
        if isinstance(placed, dict) or placed in {
            "auto",
            "balanced",
            "balanced_low_0",
            "sequential",
        }:
            return "every"
        return _device(placed, "transformers.device_map")
    return _device(config.device, "device")


def _device(name: str, field: str) -> str:
    if name in {"auto", "cpu"} or re.fullmatch(r"cuda(:[0-9]+)?", name):
        return name
    raise ConfigError(f"{field}={name!r} is no device. Write auto, cpu, cuda or cuda:N.")


def _span(config: ExperimentConfig, placement: str, visible: int) -> tuple[int, int]:
    """First GPU and number of GPUs, in CUDA's numbering."""
    if placement == "every":
        return 0, max(visible, 1)
    count = math.prod(_sizes(config).values())
    first = int(placement.partition(":")[2] or 0)
    if first and count > 1:
        raise ConfigError(
            f"device={placement!r} is one GPU, but {_asked(config)} asks for {count}, and engines "
            "take those from cuda:0 on. Choose them with CUDA_VISIBLE_DEVICES and device='cuda'."
        )
    return first, count


def _take(config: ExperimentConfig, visibility: Visibility, first: int, count: int) -> list[Device]:
    seen = len(visibility.gpus)
    if first + count > seen:
        wanted = f"cuda:{first}" if first else f"{count} GPU{'s' * (count > 1)}"
        raise ConfigError(
            f"the experiment needs {wanted} ({_asked(config)}), but {seen} "
            f"{'is' if seen == 1 else 'are'} visible: {visibility.how}."
        )
    return list(visibility.gpus[first : first + count])


def _check_certain(used: Sequence[Device], gpus: Sequence[Device], visibility: Visibility) -> None:
    """Refuse to guess; all the GPUs of the machine are the same set in any order."""
    if visibility.uncertain and len(used) < len(gpus):
        raise ConfigError(
            f"it cannot be told which GPU the experiment would use: {visibility.uncertain}"
        )


def _check_measurable(used: Sequence[Device]) -> None:
    for device in used:
        if device.refusal:
            raise MeterError(device.refusal)


def _sizes(config: ExperimentConfig) -> dict[str, int]:
    """GPUs along each axis; an engine's own section may add replicas or overrule."""
    sizes = {
        "tensor_parallel_size": config.tensor_parallel_size,
        "pipeline_parallel_size": config.pipeline_parallel_size,
        "data_parallel_size": 1,
        "context_parallel_size": 1,
    }
    section = getattr(config, config.backend, None)
    given = {**section.given(), **section.extra} if section is not None else {}
    return sizes | {key: given[key] for key in sizes if isinstance(given.get(key), int)}


def _asked(config: ExperimentConfig) -> str:
    sizes = " × ".join(f"{key} {size}" for key, size in _sizes(config).items() if size > 1)
    return f"device={config.device!r}, {sizes}" if sizes else f"device={config.device!r}"
