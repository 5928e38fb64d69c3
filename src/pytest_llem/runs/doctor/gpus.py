"""What about the GPUs would disturb a measurement."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llem.devices.visibility import ORDER, VISIBLE, visible_gpus
from pytest_llem.errors import LlemError
from pytest_llem.results.diagnosis import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.devices.meter import Facts
    from pytest_llem.results.environment import Gpu
    from pytest_llem.runs.doctor.seen import Nvidia, Seen

HOT_C = 75.0
"""A GPU that has nothing to do is this hot only if it was, or its cooling is, overloaded: data
sheets let cards slow down at 83 to 95 °C."""
SAME_W = 0.5
SLOWED = frozenset(
    {
        "hw_slowdown",
        "sw_thermal_slowdown",
        "hw_thermal_slowdown",
        "hw_power_brake_slowdown",
        "board_limit",
        "reliability",
    }
)
"""Reasons that slow a GPU which runs as it is set up."""


def gpu_findings(seen: Seen) -> Iterator[Finding]:
    """Of the driver, then of each GPU."""
    yield from _driver(seen.nvidia, container=bool(seen.environment.container))
    if seen.nvidia.devices:
        yield from _visibility(seen)
    gpus = seen.environment.gpus or ()
    for gpu in gpus:
        facts = seen.nvidia.facts.get(gpu.uuid or "")
        name = f"GPU {gpu.index if gpu.index is not None else '?'}"
        yield from _modes(gpu, name, alone=len(gpus) == 1)
        yield from _power(gpu, name)
        yield from _clocks(gpu, name)
        yield from _link(gpu, name)
        if facts is not None:
            yield from _state(gpu, facts, name)


def _driver(nvidia: Nvidia, *, container: bool) -> Iterator[Finding]:
    if nvidia.problem is not None:
        yield Finding(
            check="nvml.broken",
            level="impossible",
            what="the NVIDIA driver does not answer",
            value=nvidia.problem,
            why="Neither the energy nor the state of a GPU can be read, and engines may not run either.",
            mend="nvidia-smi says the same in its own words; after an update of the driver: sudo reboot",
        )
    elif nvidia.hardware and not nvidia.devices:
        inside = container and not nvidia.device_files
        yield Finding(
            check="nvml.missing",
            level="impossible",
            what="there is an NVIDIA GPU, and no driver that this process could ask",
            value=nvidia.absence or "the driver lists no GPU",
            why="Its energy cannot be read: experiments would run on the CPU, or be estimated.",
            mend="start the container with its GPUs: podman run --device nvidia.com/gpu=all …, or "
            "docker run --gpus all …"
            if inside
            else "install NVIDIA's driver with its library libnvidia-ml.so.1, and load it: "
            "sudo modprobe nvidia",
        )


def _visibility(seen: Seen) -> Iterator[Finding]:
    try:
        visibility = visible_gpus(seen.nvidia.devices, seen.environ)
    except LlemError as error:
        yield Finding(
            check="gpu.visible",
            level="impossible",
            what=f"{VISIBLE} cannot be followed",
            value=seen.environ.get(VISIBLE, ""),
            why=str(error),
            mend=f"unset {VISIBLE}",
        )
        return
    if visibility.uncertain:
        yield Finding(
            check="gpu.order",
            level="note",
            what="it cannot be told which GPU an index means",
            value=visibility.how,
            why=f"{visibility.uncertain} Experiments that would have to guess are refused.",
            mend=f"export {ORDER}=PCI_BUS_ID",
        )
    elif not visibility.gpus:
        yield Finding(
            check="gpu.hidden",
            level="note",
            what="no GPU is visible to experiments",
            value=visibility.how,
            why="They run on the CPU.",
            mend=f"unset {VISIBLE}",
        )


def _modes(gpu: Gpu, name: str, *, alone: bool) -> Iterator[Finding]:
    uuid = gpu.uuid or name
    if gpu.persistence is False:
        yield Finding(
            check="gpu.persistence",
            level="disturbs",
            what=f"{name}: persistence mode is off",
            value="off",
            why="The driver unloads while nothing uses the GPU and forgets limits and clocks; the "
            "first experiment pays for loading it.",
            mend=f"sudo nvidia-smi -i {uuid} -pm 1",
        )
    if gpu.mig:
        yield Finding(
            check="gpu.mig",
            level="impossible" if alone else "disturbs",
            what=f"{name}: MIG mode is on",
            value="on",
            why="Its instances share one sensor, so energy cannot be attributed to one of them; "
            "experiments on it are refused.",
            mend=f"sudo nvidia-smi -i {uuid} -mig 0",
        )
    pending = {
        "ECC": (gpu.ecc, gpu.ecc_pending),
        "MIG": (gpu.mig, gpu.mig_pending),
    }
    for mode, (now, then) in pending.items():
        if None not in {now, then} and now != then:
            yield Finding(
                check=f"gpu.{mode.lower()}_pending",
                level="disturbs",
                what=f"{name}: {mode} changes with the next reset",
                value=f"{_switch(now)}, then {_switch(then)}",
                why="Figures of before and after cannot be compared, and nobody would see why: "
                "ECC alone takes bandwidth.",
                mend=f"sudo nvidia-smi -i {uuid} --gpu-reset (nothing may run on it), or restart",
            )


def _power(gpu: Gpu, name: str) -> Iterator[Finding]:
    limit, default = gpu.power_limit_w, gpu.default_power_limit_w
    if limit is None or default is None or abs(limit - default) < SAME_W:
        return
    yield Finding(
        check="gpu.power_limit",
        level="disturbs",
        what=f"{name}: the power limit is not the card's own",
        value=f"{limit:g} W, default {default:g} W",
        why="It changes clocks under load, time and energy. Baselines of another limit are "
        "incomparable; a limit on purpose is fine, if it is always set.",
        mend=f"sudo nvidia-smi -i {gpu.uuid} -pl {default:g}",
    )


def _clocks(gpu: Gpu, name: str) -> Iterator[Finding]:
    highest = gpu.max_sm_clock_mhz
    if highest is None:
        return
    set_mhz, default_mhz = gpu.application_sm_clock_mhz, gpu.default_application_sm_clock_mhz
    if None not in {set_mhz, default_mhz} and set_mhz != default_mhz:
        value = f"application clock {set_mhz:g} MHz, default {default_mhz:g} MHz"
        yield Finding(
            check="gpu.application_clocks",
            level="note",
            what=f"{name}: the application clock was set",
            value=value,
            why="Figures at other clocks differ; the driver forgets it without persistence mode.",
            mend=f"sudo nvidia-smi -i {gpu.uuid} -rac",
        )
        return
    steady_mhz = set_mhz or highest
    yield Finding(
        check="gpu.clocks",
        level="note",
        what=f"{name}: clocks are free, or locked where NVML does not show it",
        value=f"up to {highest:g} MHz",
        why="A card that boosts runs as fast as its temperature and its neighbours allow: more "
        "variation between runs. Locked clocks are steadier, and not what users have.",
        mend=f"sudo nvidia-smi -i {gpu.uuid} -lgc {steady_mhz:g} (and -rgc to undo), at a clock "
        "that it can hold",
    )


def _link(gpu: Gpu, name: str) -> Iterator[Finding]:
    width, most = gpu.pcie_width, gpu.max_pcie_width
    if width is None or most is None or width >= most:
        return
    yield Finding(
        check="gpu.pcie_width",
        level="note",
        what=f"{name}: the PCIe link is narrower than it could be",
        value=f"x{width} of x{most}",
        why="Loading takes longer, and so does whatever is offloaded or sent between GPUs.",
        mend="reseat the card, or look for a slot that shares its lanes: "
        f"nvidia-smi -q -i {gpu.uuid} -d PCIE",
    )


def _state(gpu: Gpu, facts: Facts, name: str) -> Iterator[Finding]:
    if facts.processes:
        listed = ", ".join(f"{pid}{_program(pid)}" for pid in facts.processes)
        yield Finding(
            check="gpu.processes",
            level="disturbs",
            what=f"{name}: others compute on it",
            value=f"pid {listed}",
            why="Their energy is in every window. Windows that see a foreign process are invalid.",
            mend="end them, or wait: nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv",
        )
    slowed = sorted(SLOWED & set(facts.throttle_reasons or ()))
    if slowed:
        yield Finding(
            check="gpu.slowed",
            level="disturbs",
            what=f"{name}: it is slowed down right now",
            value=", ".join(slowed),
            why="Windows in which it happens are invalid.",
            mend=f"cool it, look at its power supply: nvidia-smi -q -i {gpu.uuid} -d PERFORMANCE",
        )
    if facts.temperature_c is not None and facts.temperature_c >= HOT_C:
        yield Finding(
            check="gpu.hot",
            level="disturbs",
            what=f"{name}: it is hot",
            value=f"{facts.temperature_c:g} °C",
            why="A hot card leaks more power, and is about to be slowed down.",
            mend=f"wait until it is below {HOT_C:g} °C, or see to its cooling",
        )


def _program(pid: int) -> str:
    """Name of a process that can be seen from here."""
    with suppress(OSError):
        return (
            f" ({Path(f'/proc/{pid}/comm').read_text(encoding='utf-8', errors='replace').strip()})"
        )
    return ""


def _switch(on: bool | None) -> str:
    return "on" if on else "off"
