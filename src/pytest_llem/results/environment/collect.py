"""Taking the snapshot: every probe for itself, and none can fail the run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llem.results.environment import cpu, frequency, host, memory
from pytest_llem.results.environment.git import git_state
from pytest_llem.results.environment.gpu import gpus
from pytest_llem.results.environment.libraries import libraries
from pytest_llem.results.environment.packages import packages
from pytest_llem.results.environment.quota import memory_limit_bytes
from pytest_llem.results.environment.snapshot import Environment
from pytest_llem.results.environment.tolerant import tolerant
from pytest_llem.results.environment.toolkit import cuda_toolkit_version
from pytest_llem.results.environment.variables import environment_variables, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
_SYSTEM = Path("/")


def collect_environment(
    root: Path,
    driver_facts: Mapping[str, Any] | None,
    *,
    environ: Mapping[str, str] | None = None,
    system: Path = _SYSTEM,
) -> Environment:
    """The machine and software now; what cannot be told is ``None``. Raises nothing.

    Args:
        root: the project under test.
        driver_facts: what the GPU driver said (``driver_version``,
            ``cuda_driver_version``, ``gpus``); ``None`` if there is none.
        environ: environment variables; ``None`` is this process's own.
        system: where ``proc``, ``sys`` and ``etc`` are.
    """
    variables = os.environ if environ is None else environ
    facts = driver_facts or {}
    probes: dict[str, Callable[[], Any]] = {
        "os": lambda: host.os_name(system),
        "kernel": host.kernel,
        "python": host.python,
        "cpu_model": lambda: cpu.cpu_model(system),
        "logical_cores": os.cpu_count,
        "physical_cores": lambda: cpu.physical_cores(system),
        "usable_cores": lambda: cpu.usable_cores(system),
        "cpu_quota": lambda: cpu.cpu_quota(system),
        "smt": lambda: cpu.smt(system),
        "numa_nodes": lambda: cpu.numa_nodes(system),
        "memory_bytes": lambda: memory.memory_bytes(system),
        "memory_available_bytes": lambda: memory.available_bytes(system),
        "memory_limit_bytes": lambda: memory_limit_bytes(system),
        "swap_bytes": lambda: memory.swap_bytes(system),
        "swap_used_bytes": lambda: memory.swap_used_bytes(system),
        "threads": lambda: threads(variables),
        "load_1m": lambda: cpu.load_1m(system),
        "steal_share": lambda: cpu.steal_share(system),
        "governor": lambda: frequency.governor(system),
        "scaling_driver": lambda: frequency.scaling_driver(system),
        "energy_preference": lambda: frequency.energy_preference(system),
        "turbo": lambda: frequency.turbo(system),
        "cpu_mhz": lambda: frequency.mean_mhz(system),
        "min_cpu_mhz": lambda: frequency.least_mhz(system),
        "max_cpu_mhz": lambda: frequency.most_mhz(system),
        "container": lambda: host.in_container(system, variables),
        "virtualized": lambda: host.is_virtual(system),
        "driver_version": lambda: facts.get("driver_version"),
        "cuda_driver_version": lambda: facts.get("cuda_driver_version"),
        "cuda_toolkit_version": lambda: cuda_toolkit_version(system, variables),
        "gpus": lambda: gpus(driver_facts, system),
        "packages": packages,
        "libraries": libraries,
        "git": lambda: git_state(root, variables),
        "environment_variables": lambda: environment_variables(variables),
    }
    return tolerant(Environment, {name: _answer(probe) for name, probe in probes.items()})


def _answer(probe: Callable[[], T]) -> T | None:
    try:
        return probe()
    except Exception:  # noqa: BLE001  a probe looks at a foreign machine; none may cost a result
        return None
