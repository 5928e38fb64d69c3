"""What about processors and memory would disturb a measurement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.devices.rapl import RaplMeter
from pytest_llem.errors import MeterError
from pytest_llem.results.diagnosis import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.results.environment import Environment
    from pytest_llem.runs.doctor.seen import Seen

STEADY = "performance"
STEAL_SHARE = 0.01
BUSY_SHARE = 0.1
HOT_C = 85.0
"""Processors of today slow down at 90 to 105 °C by their makers' data sheets."""
SWAPPED_BYTES = 64 << 20
AVAILABLE_SHARE = 0.1
PERF_FOR_USERS = 2
"""Above it the kernel lets only root count hardware events (kernel documentation, "Perf events
and tool security")."""
GIB = 1 << 30


def processor_findings(seen: Seen) -> Iterator[Finding]:
    """Of frequencies, of others' work, of what may be used, then of memory and counters."""
    yield from environment_findings(seen.environment, seen.steal_share)
    yield from _others(seen)
    yield from _threads(seen)
    yield from _heat(seen)
    yield from _counters(seen)


def environment_findings(
    environment: Environment, steal_share: float | None = None
) -> Iterator[Finding]:
    """What an environment tells by itself, also later; *steal_share* is that of now."""
    yield from _frequency(environment)
    yield from _steal(environment, steal_share)
    yield from _near(environment)
    yield from _memory(environment)


def _frequency(environment: Environment) -> Iterator[Finding]:
    if environment.governor not in {None, STEADY}:
        yield Finding(
            check="cpu.governor",
            level="disturbs",
            what="the frequency governor saves power",
            value=f"{environment.governor} ({environment.scaling_driver or 'unknown driver'})",
            why="Processors slow down whenever an engine waits, so prompts take longer now than "
            "then: in CPU-bound phases that is time and energy of the GPU, too.",
            mend="sudo cpupower frequency-set -g performance",
        )
    if environment.turbo:
        yield Finding(
            check="cpu.turbo",
            level="note",
            what="turbo is on",
            value="on",
            why="How fast cores run depends on how many are busy and how warm they are: more "
            "variation between runs on the CPU.",
            mend="echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
            if environment.scaling_driver == "intel_pstate"
            else "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost",
        )


def _steal(environment: Environment, now: float | None) -> Iterator[Finding]:
    since_boot = environment.steal_share or 0.0
    if max(now or 0.0, since_boot) > STEAL_SHARE:
        said = "" if now is None else f"{now:.1%} now, "
        yield Finding(
            check="cpu.steal",
            level="disturbs",
            what="the hypervisor gives processor time to others",
            value=f"{said}{since_boot:.1%} since boot",
            why="Time passes in which nothing here runs: windows last longer by what nobody sees.",
            mend="take a machine of your own, or one with dedicated processors",
        )


def _others(seen: Seen) -> Iterator[Finding]:
    if seen.busy_share is not None and seen.busy_share > BUSY_SHARE:
        load = seen.environment.load_1m
        yield Finding(
            check="cpu.busy",
            level="disturbs",
            what="something else keeps the processors busy",
            value=f"{seen.busy_share:.0%} busy" + (f", load {load:g}" if load is not None else ""),
            why="It takes time, cache and frequency from experiments, and is in what CPU packages "
            "draw.",
            mend="end it, or wait: top -o %CPU",
        )


def _threads(seen: Seen) -> Iterator[Finding]:
    environment = seen.environment
    wanted = environment.threads or seen.affinity
    quota = environment.cpu_quota
    if quota is not None and wanted is not None and quota < wanted:
        yield Finding(
            check="cpu.quota",
            level="disturbs",
            what="the control group grants less time than there are threads",
            value=f"{quota:g} CPUs for {wanted} threads",
            why="The kernel stops all threads for the rest of every 100 ms once the quota is "
            "spent, which shows as jumps in latency.",
            mend=f"export OMP_NUM_THREADS={max(1, int(quota))}, or raise the quota (docker run --cpus)",
        )
    elif (
        environment.threads is not None
        and seen.affinity is not None
        and environment.threads > seen.affinity
    ):
        yield Finding(
            check="cpu.threads",
            level="disturbs",
            what="there are more threads than processors",
            value=f"OMP_NUM_THREADS={environment.threads}, {seen.affinity} CPUs",
            why="Threads wait for each other while some of them do not run.",
            mend=f"export OMP_NUM_THREADS={seen.affinity}",
        )


def _heat(seen: Seen) -> Iterator[Finding]:
    celsius = seen.cpu_temperature_c
    if celsius is not None and celsius >= HOT_C:
        yield Finding(
            check="cpu.hot",
            level="disturbs",
            what="a processor is hot",
            value=f"{celsius:g} °C",
            why="It is about to be slowed down.",
            mend=f"wait until it is below {HOT_C:g} °C, or see to its cooling",
        )


def _near(environment: Environment) -> Iterator[Finding]:
    nodes = environment.numa_nodes
    if nodes is None or nodes < 2:  # noqa: PLR2004 - one is all
        return
    near = {gpu.numa_node for gpu in environment.gpus or () if gpu.numa_node is not None}
    node = min(near, default=0)
    yield Finding(
        check="cpu.numa",
        level="note",
        what="memory has several parts",
        value=f"{nodes} NUMA nodes",
        why="A process that starts on the far one is slower, and nothing says on which it starts.",
        mend=f"numactl --cpunodebind={node} --membind={node} pytest …",
    )


def _memory(environment: Environment) -> Iterator[Finding]:
    used = environment.swap_used_bytes
    if used is not None and used > SWAPPED_BYTES:
        yield Finding(
            check="memory.swap",
            level="disturbs",
            what="memory is swapped out",
            value=f"{used / GIB:.1f} GiB",
            why="What is needed again comes from the disk, at some time or other.",
            mend="sudo swapoff -a (if memory suffices for what is there)",
        )
    total, left = environment.memory_bytes, environment.memory_available_bytes
    if total and left is not None and left < AVAILABLE_SHARE * total:
        yield Finding(
            check="memory.full",
            level="disturbs",
            what="little memory is left",
            value=f"{left / GIB:.1f} of {total / GIB:.1f} GiB",
            why="A model may not fit, the kernel may end it, and file caches are thrown away.",
            mend="end what takes it: ps aux --sort=-rss",
        )


def _counters(seen: Seen) -> Iterator[Finding]:
    try:
        RaplMeter().discover()
    except MeterError as error:
        forbidden = isinstance(error.__cause__, PermissionError)
        yield Finding(
            check="rapl.permission" if forbidden else "rapl.broken",
            level="disturbs",
            what="the energy counters of the processors cannot be read",
            value=str(error).partition(". ")[0],
            why="Experiments on the CPU are estimated, which measures nothing, and packages cannot "
            "stand beside GPUs.",
            mend="sudo chmod a+r /sys/class/powercap/*/energy_uj (until the next start)"
            if forbidden
            else None,
        )
    if seen.perf_paranoia is not None and seen.perf_paranoia > PERF_FOR_USERS:
        yield Finding(
            check="perf.restricted",
            level="note",
            what="the kernel lets only root count hardware events",
            value=f"kernel.perf_event_paranoid={seen.perf_paranoia}",
            why="No meter here needs them; perf, with which one would look for the cause of a "
            "change, does.",
            mend=f"sudo sysctl kernel.perf_event_paranoid={PERF_FOR_USERS}",
        )
