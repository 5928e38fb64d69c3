"""What is recorded of a run's surroundings."""

from __future__ import annotations

from typing import Literal

from pytest_llem.results.schema import Stored

ENVIRONMENT_VERSION = 1


class Gpu(Stored):
    """A GPU as its driver described it when the run began; ``None`` is unknown."""

    uuid: str | None = None
    name: str | None = None
    index: int | None = None
    """The driver's own index, for people; ``CUDA_VISIBLE_DEVICES`` does not change it."""
    pci_bus_id: str | None = None
    power_limit_w: float | None = None
    """Enforced power limit in watts."""
    memory_bytes: int | None = None
    """Size of the device's memory."""
    max_sm_clock_mhz: float | None = None
    """Highest clock of the multiprocessors, in MHz."""
    persistence: bool | None = None
    """Whether the driver stays loaded while nothing uses the GPU."""
    ecc: bool | None = None
    """Whether memory errors are corrected."""
    mig: bool | None = None
    """Whether the GPU is cut into instances, which share its power sensor."""


class Git(Stored):
    """State of the project under test in its repository."""

    commit: str | None = None
    """Full hash; ``None`` before the first commit."""
    branch: str | None = None
    """``None`` if no branch is checked out."""
    dirty: bool | None = None
    """Whether tracked files differ from the commit; ``None`` if that took too long to tell."""


class Environment(Stored):
    """Machine and software of a run; ``None`` is unknown."""

    schema_version: Literal[1] = 1
    os: str | None = None
    """Name and version of the distribution."""
    kernel: str | None = None
    """Name, release and architecture of the kernel."""
    python: str | None = None
    """Implementation and version of the interpreter that supervised the run."""
    cpu_model: str | None = None
    logical_cores: int | None = None
    """CPUs of the machine, hardware threads counted one by one."""
    physical_cores: int | None = None
    usable_cores: float | None = None
    """CPUs the run could use: the least of its affinity and its control groups' quotas."""
    memory_bytes: int | None = None
    """Main memory of the machine."""
    threads: int | None = None
    """``OMP_NUM_THREADS``; ``None`` if it is not set."""
    load_1m: float | None = None
    """Load average over the minute before the run."""
    steal_share: float | None = None
    """Share of CPU time since boot that the hypervisor gave to others, from 0 to 1."""
    governor: str | None = None
    """Frequency governor; several are sorted and joined by commas."""
    container: bool | None = None
    """Whether a container runtime left its marks, as it does inside of one."""
    virtualized: bool | None = None
    """Whether the machine was a virtual one."""
    driver_version: str | None = None
    """Version of the GPU driver."""
    cuda_driver_version: str | None = None
    """Newest CUDA version that the driver supports."""
    gpus: tuple[Gpu, ...] | None = None
    """The driver's GPUs in its order; ``None`` if no driver was asked."""
    packages: dict[str, str] | None = None
    """Versions by distribution: what moves energy, and pytest plugins; what is absent is not installed
    where the supervisor ran (an engine with an interpreter of its own says its version in the result)."""
    git: Git | None = None
    """``None`` if the project is in no repository, or git did not answer."""
    environment_variables: dict[str, str] | None = None
    """Variables from a short list that are set; none whose name or value may hold a secret."""
