"""Processors: model, cores, what of them may be used, and how busy they are."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_llem.results.environment.quota import quotas

_CPUS = Path("sys/devices/system/cpu")
_CPU_DIRECTORIES = "cpu[0-9]*"
_TIMES = 8
"""Fields of ``/proc/stat`` that add up to all time: ``guest`` is part of ``user`` (proc(5))."""
_STEAL = 7


def cpu_model(system: Path) -> str | None:
    """The processor's name from ``/proc/cpuinfo``; ARM kernels give none."""
    for line in (system / "proc/cpuinfo").read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return None


def physical_cores(system: Path) -> int | None:
    """Cores, where hardware threads of one core share their list of siblings."""
    siblings = {
        path.read_text().strip()
        for path in (system / _CPUS).glob(f"{_CPU_DIRECTORIES}/topology/thread_siblings_list")
    }
    return len(siblings) or None


def usable_cores(system: Path) -> float | None:
    """CPUs that this process may use: the least of its affinity and its groups' quotas."""
    return min([float(len(os.sched_getaffinity(0))), *quotas(system)])


def load_1m(system: Path) -> float | None:
    """Load average over the last minute."""
    return float((system / "proc/loadavg").read_text().split()[0])


def steal_share(system: Path) -> float | None:
    """Share of all CPU time since boot that was stolen, from ``/proc/stat``."""
    name, *fields = (system / "proc/stat").read_text().partition("\n")[0].split()
    times = [int(field) for field in fields[:_TIMES]]
    if name != "cpu" or len(times) <= _STEAL or not sum(times):
        return None
    return times[_STEAL] / sum(times)


def cpu_quota(system: Path) -> float | None:
    """CPUs' worth of time that this process's control groups grant; ``None`` is no limit."""
    return min(quotas(system), default=None)


def smt(system: Path) -> bool | None:
    """Whether cores run several threads each."""
    said = (system / _CPUS / "smt/active").read_text().strip()
    return {"0": False, "1": True}.get(said)


def numa_nodes(system: Path) -> int | None:
    """How many parts main memory has, each nearer to some of the CPUs."""
    return len(list((system / "sys/devices/system/node").glob("node[0-9]*"))) or None
