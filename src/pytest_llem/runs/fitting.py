"""Whether the experiments of a grid fit into memory: the models and devices at hand."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.config.layers.layer import BUILT_IN
from pytest_llem.errors import ConfigError, ModelNotFoundError
from pytest_llem.plan.memory.facts import ModelFacts, UnknownModelError
from pytest_llem.plan.memory.fit import Room
from pytest_llem.plan.memory.fits import Fits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.config.layers.standing import Standing
    from pytest_llem.devices.capacity import Machine

OPTION = "--llem-device-memory"
NVML = "libnvidia-ml.so.1"
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class StatedDevice:
    """A device that is not here."""

    name: str
    total_bytes: int
    is_named: bool = True

    @classmethod
    def of(cls, text: str) -> StatedDevice:
        """The device that ``SIZE`` or ``NAME:SIZE`` states, such as ``NVIDIA L4:24GiB``.

        Raises:
            ConfigError: it has no size.
        """
        from pytest_llem.isolation.memory import bytes_of

        name, _, size = text.rpartition(":")
        try:
            return cls(name.strip() or "the stated device", bytes_of(size), bool(name.strip()))
        except ConfigError as error:
            raise ConfigError(f"{OPTION}={text!r}: {error}") from None


class Rooms:
    """The devices of experiments, looked up once."""

    def __init__(
        self, stated: StatedDevice | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        """Take *stated* for every experiment that is not on the CPU; ``None`` looks what is here."""
        self.stated = stated
        self._environ = environ
        self._machine: Machine | None = None
        self._found: dict[object, Room | str] = {}

    def of(self, config: ExperimentConfig) -> Room | str:
        """The devices of *config*, or why their memory is not known."""
        key = _placed(config)
        if key not in self._found:
            self._found[key] = self._look(config)
        return self._found[key]

    def _look(self, config: ExperimentConfig) -> Room | str:
        stated = self.stated
        if stated is not None and config.device != "cpu":
            ranks = config.tensor_parallel_size * config.pipeline_parallel_size
            return Room(stated.name, stated.total_bytes, ranks)
        found = self.machine().capacity(config, self._environ)
        if isinstance(found, str):
            return found
        return Room(found.name, found.total_bytes, found.devices, found.is_gpu)

    def take_profile(self, standing: Standing) -> None:
        """Take the device of a profile that somebody chose, unless such a one is here."""
        profile = standing.profile
        if standing.profile_origin == BUILT_IN or not profile.devices or not profile.memory_bytes:
            return
        names = [gpu.name for gpu in self.machine().gpus]
        if any(fnmatchcase(name, pattern) for name in names for pattern in profile.devices):
            return
        first = profile.devices[0]
        named = not set("*?[") & set(first)
        name = first if named else profile.title
        self.stated = StatedDevice(name, profile.memory_bytes, named)

    def modelled(self) -> bool:
        """Whether there are constants of any device that an experiment may have."""
        stated = self.stated
        names = [gpu.name for gpu in self.machine().gpus] if stated is None else [stated.name]
        if not names:
            return False
        from pytest_llem.energy.floor.accelerators import accelerator_named

        return any(accelerator_named(name) for name in names)

    def machine(self) -> Machine:
        """What there is; NVML is not even imported where its library is not installed."""
        from pytest_llem.devices.capacity import AMD_DRIVER, Machine, machine_here

        if self._machine is None:
            if _has_nvml():
                self._machine = machine_here(host_bytes)
            else:
                self._machine = Machine(host_bytes=host_bytes(), other_gpus=AMD_DRIVER.exists())
        return self._machine


def _placed(config: ExperimentConfig) -> tuple[object, ...]:
    """What decides which devices an experiment has."""
    section = getattr(config, config.backend, None)
    return (
        config.backend,
        config.device,
        config.tensor_parallel_size,
        config.pipeline_parallel_size,
        str(section.given()) if section is not None else None,
    )


def _has_nvml() -> bool:
    try:
        ctypes.CDLL(NVML)
    except OSError:
        return False
    return True


def host_bytes() -> int | None:
    """Main memory, or what the control group lets this process have of it."""
    found = []
    with suppress(OSError, ValueError):  # ValueError: this system has no such name
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # "max" is no limit
        found.append(int(CGROUP_LIMIT.read_text()))
    return min((size for size in found if size > 0), default=None)


def facts_of(model: str, revision: str | None) -> ModelFacts:
    """The configuration of a model, as far as it is on this machine.

    Raises:
        UnknownModelError: it is not.
    """
    from pytest_llem.engines.config_at_hand import config_at_hand

    try:
        return ModelFacts(config_at_hand(model, revision))
    except ModelNotFoundError as error:
        raise UnknownModelError(str(error)) from None


def rooms_of(stated: StatedDevice | None, standing: Standing | None = None) -> Rooms:
    """The devices that experiments have: one that is stated, that of a profile, or those here."""
    rooms = Rooms(stated)
    if stated is None and standing is not None:
        rooms.take_profile(standing)
    return rooms


def fits_on(rooms: Rooms) -> Fits:
    """What tells whether experiments fit into *rooms*."""
    return Fits(facts_of, rooms.of)
