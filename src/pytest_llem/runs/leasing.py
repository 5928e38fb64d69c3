"""The devices of an experiment, for it alone: what is locked, what is read, what it sees."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llem.devices.assignment import interchangeable, is_single_gpu, showing
from pytest_llem.isolation.exclusive.directory import lock_directory
from pytest_llem.isolation.exclusive.holder import this_process
from pytest_llem.isolation.exclusive.leases import Leases, Wanted
from pytest_llem.isolation.process_identity import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device
    from pytest_llem.isolation.exclusive.leases import Obstacle
    from pytest_llem.runs.observation import Instrument, Instruments
    from pytest_llem.runs.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Leased:
    """What an experiment has to itself."""

    instrument: Instrument
    """Reads these devices and no others."""
    environment: dict[str, str] = field(default_factory=dict)
    """Has to be added to the environment of its process, so that it uses them and no others."""


class Leasing:
    """Leases devices for the experiments of a run, one by one."""

    def __init__(
        self,
        settings: RunSettings,
        instruments: Instruments,
        tell: Callable[[str, Obstacle], None],
    ) -> None:
        """*tell* gets a line on whom an experiment waits for, after a second and now and then."""
        self._settings, self._instruments, self._tell = settings, instruments, tell

    @contextmanager
    def leased(
        self, config: ExperimentConfig, environ: Mapping[str, str], what: str, run: str
    ) -> Iterator[Leased]:
        """Hold the devices of *config* while the body runs.

        Args:
            config: the experiment.
            environ: environment that its process would have.
            what: the experiment in words, for those who wait for it.
            run: id of its run.

        Raises:
            ConfigError, MeterError: its devices are not there, or cannot be measured.
            LockError: others use them for too long, or nothing can be locked here.
        """
        instrument = self._instruments.for_experiment(config, environ)
        if self._settings.allow_shared:
            yield Leased(instrument)
            return
        pool, count = self._pool(config, environ)
        wanted = _wanted(instrument, pool, count)
        leases = Leases(lock_directory(os.environ), self._settings.lock_timeout_s, self._tell)
        with leases.held(wanted, this_process(what, run)) as taken:
            if not taken:
                yield Leased(instrument)
                return
            used = [device for device in pool if device.uuid in taken]
            environment = showing(used, self._all_devices(pool), environ)
            again = self._instruments.for_experiment(config, {**environ, **environment})
            yield Leased(again, environment)

    def _pool(
        self, config: ExperimentConfig, environ: Mapping[str, str]
    ) -> tuple[list[Device], int]:
        """GPUs to choose from, and how many of them; none if the first ones are taken.

        A process that is not ours to start cannot be shown other GPUs.
        """
        if self._settings.parallel and self._settings.isolation != "none":
            for choice in self._instruments.choices:
                pool, count = interchangeable(config, choice.devices, environ)
                if pool:
                    return pool, count
        return [], 0

    def _all_devices(self, pool: list[Device]) -> tuple[Device, ...]:
        return next(
            choice.devices for choice in self._instruments.choices if pool[0] in choice.devices
        )


def _wanted(instrument: Instrument, pool: list[Device], count: int) -> Wanted:
    """The locks of an experiment: of each GPU, and of the machine for whatever else is read."""
    machine = f"machine-{boot_id()}"
    labels = {machine: "the CPUs of this machine"}
    needed: dict[str, None] = {}
    for source in instrument.sources:
        for device in source.devices:
            name = device.uuid if is_single_gpu(device) else machine
            labels.setdefault(name, f"{device.name} {device.uuid}")
            if not (pool and is_single_gpu(device)):
                needed[name] = None
    labels |= {device.uuid: f"{device.name} {device.uuid}" for device in pool}
    return Wanted(tuple(needed), tuple(device.uuid for device in pool), count, labels)
