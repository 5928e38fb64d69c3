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
    sm_clock_mhz: float | None = None
    """Clock of the multiprocessors when the run began, in MHz: idling, as a rule."""
    memory_clock_mhz: float | None = None
    """Clock of the memory when the run began, in MHz."""
    max_memory_clock_mhz: float | None = None
    """Highest clock of the memory, in MHz."""
    application_sm_clock_mhz: float | None = None
    """Clock that applications are set to get, in MHz. Whether clocks are locked is not told."""
    application_memory_clock_mhz: float | None = None
    """The same for the memory, in MHz."""
    default_application_sm_clock_mhz: float | None = None
    """What it is unless somebody set it, in MHz."""
    default_power_limit_w: float | None = None
    """Power limit that the card comes with, in watts."""
    min_power_limit_w: float | None = None
    """Lowest power limit that can be set, in watts."""
    max_power_limit_w: float | None = None
    """Highest power limit that can be set, in watts."""
    ecc_pending: bool | None = None
    """Whether memory errors are corrected after the next reset."""
    mig_pending: bool | None = None
    """Whether the GPU is cut into instances after the next reset."""
    pcie_generation: int | None = None
    """Of the link when the run began; idling links may fall back."""
    max_pcie_generation: int | None = None
    """Highest that GPU and slot can."""
    pcie_width: int | None = None
    """Lanes of the link."""
    max_pcie_width: int | None = None
    """Most lanes that GPU and slot can."""
    nvlinks: int | None = None
    """NVLinks that are up; ``None`` if it has none."""
    vbios_version: str | None = None
    """Version of the card's firmware."""
    numa_node: int | None = None
    """Part of main memory that the GPU is attached to."""


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
    cpu_quota: float | None = None
    """CPUs' worth of time that control groups grant; ``None`` also without a limit."""
    smt: bool | None = None
    """Whether cores run several threads each."""
    numa_nodes: int | None = None
    """Parts of main memory, each nearer to some of the CPUs."""
    memory_bytes: int | None = None
    """Main memory of the machine."""
    memory_available_bytes: int | None = None
    """What of it could be had without swapping when the run began."""
    memory_limit_bytes: int | None = None
    """What control groups grant; ``None`` also without a limit."""
    swap_bytes: int | None = None
    """Size of all swap."""
    swap_used_bytes: int | None = None
    """What of it was in use when the run began."""
    threads: int | None = None
    """``OMP_NUM_THREADS``; ``None`` if it is not set."""
    load_1m: float | None = None
    """Load average over the minute before the run."""
    steal_share: float | None = None
    """Share of CPU time since boot that the hypervisor gave to others, from 0 to 1."""
    governor: str | None = None
    """Frequency governor; several are sorted and joined by commas."""
    scaling_driver: str | None = None
    """What sets processors' frequency, such as ``intel_pstate``."""
    energy_preference: str | None = None
    """Energy-performance preference; several are sorted and joined by commas."""
    turbo: bool | None = None
    """Whether processors may exceed their base frequency."""
    cpu_mhz: float | None = None
    """Mean frequency of all CPUs when the run began, in MHz."""
    min_cpu_mhz: float | None = None
    """Lowest frequency that any CPU may be set to, in MHz."""
    max_cpu_mhz: float | None = None
    """Highest frequency that any CPU may be set to, in MHz."""
    container: bool | None = None
    """Whether a container runtime left its marks, as it does inside of one."""
    virtualized: bool | None = None
    """Whether the machine was a virtual one."""
    driver_version: str | None = None
    """Version of the GPU driver."""
    cuda_driver_version: str | None = None
    """Newest CUDA version that the driver supports."""
    cuda_toolkit_version: str | None = None
    """Version of the CUDA toolkit installed here; engines may bring libraries of another."""
    gpus: tuple[Gpu, ...] | None = None
    """The driver's GPUs in its order; ``None`` if no driver was asked."""
    packages: dict[str, str] | None = None
    """Versions by distribution: what moves energy, and pytest plugins; what is absent is not installed
    where the supervisor ran (an engine with an interpreter of its own says its version in the result)."""
    libraries: dict[str, str] | None = None
    """Versions of the libraries below an engine, by distribution, likewise."""
    git: Git | None = None
    """``None`` if the project is in no repository, or git did not answer."""
    environment_variables: dict[str, str] | None = None
    """Variables from a short list that are set; none whose name or value may hold a secret."""
