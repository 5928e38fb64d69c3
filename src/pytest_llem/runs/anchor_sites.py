"""Where a session's anchors run, and why they do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.measurement import MeasurementConfig
from pytest_llem.devices.assignment import is_single_gpu, showing
from pytest_llem.devices.selection import REPLAY
from pytest_llem.devices.server import server_port
from pytest_llem.devices.visibility import NVIDIA
from pytest_llem.errors import LlemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llem.devices.meter import Device
    from pytest_llem.runs.observation import Instruments, Source

ENGINE = "anchors"
"""Stands in the place of an engine's name."""
WINDOWS, WINDOW_S = 4, 0.5
WARM_UP_MIN_S, WARM_UP_MAX_S = 1.0, 5.0
"""Of each loop; shorter where the experiments themselves are measured for a shorter time."""


@dataclass(frozen=True, slots=True)
class Site:
    """Devices that one or more experiments of the session use together."""

    label: str
    """For people: ``cpu``, or the GPUs' UUIDs."""
    config: ExperimentConfig
    """Finds the devices, and says how long to measure."""
    gpus: int
    """How many GPUs it is; 0 is the CPU."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Shows these GPUs to the loops, and no others."""


@dataclass(frozen=True, slots=True)
class Sites:
    """The devices of all experiments."""

    found: tuple[Site, ...]
    why_not: str
    """Why there are none of some experiments; empty if there are of all."""


def sites_of(
    configs: Iterable[ExperimentConfig],
    instruments: Instruments,
    environ: Mapping[str, str],
    *,
    estimates: bool,
) -> Sites:
    """Where to run the anchors of experiments with *configs*.

    Args:
        configs: the experiments.
        instruments: what the run reads energy with.
        environ: environment of the experiments' processes.
        estimates: whether also where energy is estimated.
    """
    configs = list(configs)
    measurement = _measurement([config.measurement for config in configs])
    found: dict[str, Site] = {}
    reasons: dict[str, None] = {}
    for config in configs:
        try:
            said = _site(config, instruments, environ, measurement, estimates=estimates)
        except LlemError as error:  # the experiment itself will fail for that
            said = str(error)
        if isinstance(said, Site):
            found.setdefault(said.label, said)
        else:
            reasons[said] = None
    return Sites(tuple(found.values()), "; ".join(reasons))


def _site(
    config: ExperimentConfig,
    instruments: Instruments,
    environ: Mapping[str, str],
    measurement: MeasurementConfig,
    *,
    estimates: bool,
) -> Site | str:
    """Where *config* is measured; or why no anchors can be."""
    if server_port(config) is not None:
        return "a server that runs already has the devices"
    source = instruments.for_experiment(config, environ).sources[0]
    if source.choice.name.startswith(REPLAY):
        return "a replay has nothing to do with what runs now"
    if not (source.choice.measured or estimates):
        return "energy is estimated from CPU time, which a few seconds of loops say little of"
    gpus = [device for device in source.devices if is_single_gpu(device)]
    if not gpus:
        return Site("cpu", _config("cpu", 1, measurement), 0)
    if not all(gpu.uuid.startswith(NVIDIA) for gpu in gpus):
        return "the loops are for NVIDIA's GPUs and for CPUs"
    return _on_gpus(gpus, source, environ, measurement)


def _on_gpus(
    gpus: Sequence[Device],
    source: Source,
    environ: Mapping[str, str],
    measurement: MeasurementConfig,
) -> Site:
    ordered = sorted(gpus, key=lambda gpu: gpu.uuid)
    shown = showing(ordered, source.choice.devices, environ)
    label = ",".join(gpu.uuid for gpu in ordered)
    return Site(label, _config("cuda", len(gpus), measurement), len(gpus), shown)


def _config(device: str, count: int, measurement: MeasurementConfig) -> ExperimentConfig:
    return ExperimentConfig(
        backend=ENGINE,
        model="anchors",
        device=device,
        tensor_parallel_size=count,
        measurement=measurement,
    )


def _measurement(of_experiments: Sequence[MeasurementConfig]) -> MeasurementConfig:
    """How the loops are measured: never for longer than any of the experiments."""
    return MeasurementConfig(
        windows=min([WINDOWS, *(one.windows for one in of_experiments)]),
        window_s=min([WINDOW_S, *(one.window_s for one in of_experiments)]),
        prefill_windows=0,
        idle_s=0.0,
        warmup_min_s=min([WARM_UP_MIN_S, *(one.warmup_min_s for one in of_experiments)]),
        warmup_max_s=min([WARM_UP_MAX_S, *(one.warmup_max_s for one in of_experiments)]),
    )
