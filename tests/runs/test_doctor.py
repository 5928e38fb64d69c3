"""``llem doctor``: what it finds wrong with GPUs and processors, and nothing on a good machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from instruments.good_machine import (
    CARD,
    GOOD,
    GPU,
    UUID,
    card,
    facts,
    found,
    machine,
    nvidia,
    put,
)
from pytest_llem.devices.meter import Facts
from pytest_llem.results.environment import Environment, Gpu
from pytest_llem.runs.doctor.seen import Nvidia, Seen


def test_nothing_is_found_on_a_machine_that_is_set_up_well() -> None:
    assert found(GOOD) == []


def test_what_is_not_known_is_no_finding() -> None:
    nothing = Environment(gpus=(Gpu(uuid=UUID),))
    seen = Seen(nothing, {}, Path(), Nvidia((CARD,), {UUID: Facts(0)}))
    assert found(seen) == []


@pytest.mark.parametrize(
    ("seen", "check", "level", "value", "mend"),
    [
        (card(persistence=False), "gpu.persistence", "disturbs", "off", "-i GPU-1 -pm 1"),
        (
            card(power_limit_w=350.0),
            "gpu.power_limit",
            "disturbs",
            "350 W, default 700 W",
            "nvidia-smi -i GPU-1 -pl 700",
        ),
        (card(max_sm_clock_mhz=1980.0), "gpu.clocks", "note", "up to 1980 MHz", "-lgc 1980"),
        (
            card(
                max_sm_clock_mhz=1980.0,
                application_sm_clock_mhz=1200.0,
                default_application_sm_clock_mhz=1980.0,
            ),
            "gpu.application_clocks",
            "note",
            "application clock 1200 MHz, default 1980 MHz",
            "-rac",
        ),
        (card(ecc=False), "gpu.ecc_pending", "disturbs", "off, then on", "--gpu-reset"),
        (card(mig_pending=True), "gpu.mig_pending", "disturbs", "off, then on", "--gpu-reset"),
        (card(mig=True, mig_pending=True), "gpu.mig", "impossible", "on", "-mig 0"),
        (card(pcie_width=8), "gpu.pcie_width", "note", "x8 of x16", "PCIE"),
        (facts(processes=(1,)), "gpu.processes", "disturbs", "pid 1", "--query-compute-apps"),
        (facts(temperature_c=80.0), "gpu.hot", "disturbs", "80 °C", "cooling"),
        (
            facts(throttle_reasons=("gpu_idle", "hw_thermal_slowdown")),
            "gpu.slowed",
            "disturbs",
            "hw_thermal_slowdown",
            "PERFORMANCE",
        ),
        (nvidia(problem="mismatch"), "nvml.broken", "impossible", "mismatch", "reboot"),
        (nvidia(absence="no driver"), "nvml.missing", "impossible", "no driver", "modprobe"),
        (
            replace(GOOD, environ={"CUDA_VISIBLE_DEVICES": ""}),
            "gpu.hidden",
            "note",
            "CUDA_VISIBLE_DEVICES=''",
            "unset CUDA_VISIBLE_DEVICES",
        ),
        (
            replace(GOOD, environ={"CUDA_VISIBLE_DEVICES": "0,GPU-1"}),
            "gpu.visible",
            "impossible",
            "0,GPU-1",
            "unset CUDA_VISIBLE_DEVICES",
        ),
        (machine(governor="powersave"), "cpu.governor", "disturbs", "powersave", "cpupower"),
        (machine(turbo=True), "cpu.turbo", "note", "on", "cpufreq/boost"),
        (machine(turbo=True, scaling_driver="intel_pstate"), "cpu.turbo", "note", "on", "no_turbo"),
        (machine(steal_share=0.05), "cpu.steal", "disturbs", "5.0% since boot", "machine"),
        (replace(GOOD, steal_share=0.05), "cpu.steal", "disturbs", "5.0% now", "machine"),
        (replace(GOOD, busy_share=0.5), "cpu.busy", "disturbs", "50% busy", "top"),
        (machine(cpu_quota=1.5), "cpu.quota", "disturbs", "1.5 CPUs for 8 threads", "THREADS=1"),
        (
            machine(cpu_quota=3.0, threads=4),
            "cpu.quota",
            "disturbs",
            "3 CPUs for 4 threads",
            "OMP_NUM_THREADS=3",
        ),
        (machine(threads=16), "cpu.threads", "disturbs", "=16, 8 CPUs", "OMP_NUM_THREADS=8"),
        (replace(GOOD, cpu_temperature_c=95.0), "cpu.hot", "disturbs", "95 °C", "cooling"),
        (machine(numa_nodes=2), "cpu.numa", "note", "2 NUMA nodes", "--cpunodebind=0"),
        (machine(swap_used_bytes=1 << 30), "memory.swap", "disturbs", "1.0 GiB", "swapoff"),
        (
            machine(memory_available_bytes=1 << 30),
            "memory.full",
            "disturbs",
            "1.0 of 64.0 GiB",
            "rss",
        ),
        (replace(GOOD, perf_paranoia=4), "perf.restricted", "note", "=4", "sysctl"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[:8] else None,
)
def test_one_thing_wrong_is_one_finding_with_its_value_and_how_to_mend_it(
    seen: Seen, check: str, level: str, value: str, mend: str
) -> None:
    (finding,) = found(seen)
    assert (finding.check, finding.level) == (check, level)
    assert value in finding.value
    assert mend in (finding.mend or "")
    assert finding.why.endswith((".", ")"))


def test_of_several_gpus_one_that_is_cut_up_leaves_the_others_to_measure() -> None:
    both = (GPU, GPU.model_copy(update={"uuid": "GPU-2", "mig": True, "mig_pending": True}))
    (finding,) = found(machine(gpus=both))
    assert (finding.check, finding.level) == ("gpu.mig", "disturbs")


def test_a_container_without_devices_is_told_to_get_them() -> None:
    seen = nvidia(absence="no driver", device_files=False)
    inside = replace(seen, environment=seen.environment.model_copy(update={"container": True}))
    (finding,) = found(inside)
    assert finding.check == "nvml.missing"
    assert "--gpus all" in (finding.mend or "")


def test_processes_are_bound_to_the_memory_that_is_near_the_gpu() -> None:
    near = GPU.model_copy(update={"numa_node": 1})
    (finding,) = found(machine(numa_nodes=2, gpus=(near,)))
    assert finding.mend == "numactl --cpunodebind=1 --membind=1 pytest …"


def test_unlike_gpus_have_no_certain_order() -> None:
    other = replace(CARD, uuid="GPU-2", name="NVIDIA L4")
    seen = replace(GOOD, nvidia=replace(GOOD.nvidia, devices=(CARD, other)))
    (finding,) = found(seen)
    assert (finding.check, finding.mend) == ("gpu.order", "export CUDA_DEVICE_ORDER=PCI_BUS_ID")


@pytest.mark.parametrize("forbidden", [True, False])
def test_energy_counters_that_may_not_or_cannot_be_read_are_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forbidden: bool
) -> None:
    put(tmp_path, "intel-rapl:0/name", "package-0\n")
    put(tmp_path, "intel-rapl:0/max_energy_range_uj", "1000\n")
    (tmp_path / "intel-rapl:0/energy_uj").mkdir()
    monkeypatch.setenv("LLEM_POWERCAP", str(tmp_path))
    read_text = Path.read_text

    def refusing(path: Path, *arguments: Any, **options: Any) -> str:
        if path.name == "energy_uj" and forbidden:  # root could read it
            raise PermissionError(13, "Permission denied")
        return read_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refusing)
    (finding,) = found(GOOD)
    assert finding.check == ("rapl.permission" if forbidden else "rapl.broken")
    assert finding.level == "disturbs"
    assert ("chmod a+r" in (finding.mend or "")) is forbidden
