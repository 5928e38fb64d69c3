"""``llem doctor``: what it finds on machines of all kinds, and that it finds nothing on a good one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Constant
from instruments.nvml_double import Gpu as Double
from instruments.nvml_double import compiler, nvml_double
from instruments.tenants import Process
from pytest_llem.devices.meter import Capability, Device, Facts
from pytest_llem.isolation.exclusive.holder import this_process
from pytest_llem.isolation.exclusive.lock_file import try_lock
from pytest_llem.reports.doctor import doctor_lines
from pytest_llem.results.diagnosis import Diagnosis, Finding
from pytest_llem.results.environment import Environment, Gpu
from pytest_llem.runs.doctor import engines, examine
from pytest_llem.runs.doctor.engines import engine_states
from pytest_llem.runs.doctor.gpus import gpu_findings
from pytest_llem.runs.doctor.meters import meter_states
from pytest_llem.runs.doctor.place import place_findings
from pytest_llem.runs.doctor.processors import processor_findings
from pytest_llem.runs.doctor.seen import Nvidia, Seen, look
from pytest_llem.runs.doctor.support import supported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCHEMA = Path(__file__).parents[2] / "schemas" / "diagnosis.v1.schema.json"
UUID = "GPU-1"
CARD = Device(UUID, "NVIDIA H100 80GB HBM3", Capability("gpu", "counter", 0.001, None), 0)
GPU = Gpu(
    uuid=UUID,
    name=CARD.name,
    index=0,
    power_limit_w=700.0,
    default_power_limit_w=700.0,
    persistence=True,
    ecc=True,
    ecc_pending=True,
    mig=False,
    mig_pending=False,
    pcie_width=16,
    max_pcie_width=16,
)
FACTS = Facts(0, temperature_c=40.0, throttle_reasons=("gpu_idle",), processes=())
MACHINE = Environment(
    cpu_model="AMD EPYC 9654",
    governor="performance",
    scaling_driver="acpi-cpufreq",
    turbo=False,
    steal_share=0.0,
    memory_bytes=64 << 30,
    memory_available_bytes=32 << 30,
    swap_bytes=8 << 30,
    swap_used_bytes=0,
    container=False,
    packages={"pytest": "9.2.0"},
    gpus=(GPU,),
)
GOOD = Seen(
    environment=MACHINE,
    environ={},
    project=Path(),
    nvidia=Nvidia((CARD,), {UUID: FACTS}, hardware=True, device_files=True),
    busy_share=0.02,
    steal_share=0.0,
    cpu_temperature_c=50.0,
    perf_paranoia=2,
    affinity=8,
)
SYSTEM = {
    "proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n",
    "proc/sys/kernel/perf_event_paranoid": "4\n",
    "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone0/temp": "91000\n",
    "sys/class/thermal/thermal_zone1/type": "iwlwifi_1\n",
    "sys/class/thermal/thermal_zone1/temp": "99000\n",
}


def put(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def machine(**changes: Any) -> Seen:
    return replace(GOOD, environment=MACHINE.model_copy(update=changes))


def card(**changes: Any) -> Seen:
    return machine(gpus=(GPU.model_copy(update=changes),))


def facts(**changes: Any) -> Seen:
    return replace(GOOD, nvidia=replace(GOOD.nvidia, facts={UUID: replace(FACTS, **changes)}))


def nvidia(**changes: Any) -> Seen:
    without = replace(GOOD.nvidia, devices=(), facts={})
    return replace(machine(gpus=None), nvidia=replace(without, **changes))


def found(seen: Seen) -> list[Finding]:
    return [*gpu_findings(seen), *processor_findings(seen)]


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


def place(tmp_path: Path, **packages: str) -> list[Finding]:
    project = tmp_path / "project"
    project.mkdir(exist_ok=True)
    environ = {"LLEM_LOCK_DIR": str(tmp_path / "locks")}
    environment = MACHINE.model_copy(update={"packages": packages})
    return list(
        place_findings(replace(GOOD, environment=environment, environ=environ, project=project))
    )


def test_a_place_that_will_do_is_no_finding_and_is_left_as_it_is(tmp_path: Path) -> None:
    assert place(tmp_path) == []
    assert [path.name for path in tmp_path.rglob("*")] == ["project"]


def test_results_that_cannot_be_kept_make_measuring_impossible(tmp_path: Path) -> None:
    put(tmp_path, "project/.llem", "a file")
    (finding,) = place(tmp_path)
    assert (finding.check, finding.level) == ("store.unwritable", "impossible")
    assert "--llem-dir" in (finding.mend or "")


@pytest.mark.parametrize(("free", "level"), [(1 << 20, "impossible"), (100 << 20, "disturbs")])
def test_a_disk_that_is_almost_full_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (finding,) = place(tmp_path)
    assert (finding.check, finding.level) == ("store.full", level)


def test_locks_that_cannot_be_taken_make_measuring_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != locks and access(path, mode))
    (finding,) = place(tmp_path)
    assert (finding.check, finding.level) == ("locks.unwritable", "impossible")


def test_who_has_a_device_is_named(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    lock = try_lock(tmp_path / "locks" / "GPU-1.lock")
    assert lock is not None
    lock.write(this_process("test_chat[8]", "run-1").to_bytes())
    (finding,) = place(tmp_path)
    lock.release()
    assert (finding.check, finding.what) == ("locks.held", "another experiment has GPU-1")
    assert "test_chat[8]" in finding.value
    assert place(tmp_path) == []


def test_why_experiments_are_not_forked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "x")
    (finding,) = place(tmp_path)
    assert (finding.check, finding.level) == ("isolation.spawned", "note")


def test_plugins_that_matter_are_named_however_they_are_spelled(tmp_path: Path) -> None:
    findings = place(tmp_path, pytest_randomly="5.1.0", pydantic="2.0")
    assert [one.check for one in findings] == ["plugin.pytest-randomly"]
    assert findings[0].mend == "pytest -p no:randomly"


def test_what_is_seen_is_seen_while_nothing_of_ours_runs(tmp_path: Path) -> None:
    for name, content in SYSTEM.items():
        put(tmp_path, name, content)
    put(tmp_path, "proc/stat", "cpu  100 0 0 900 0 0 0 0 0 0\n")

    def pause(_: float) -> None:
        put(tmp_path, "proc/stat", "cpu  120 0 10 950 10 0 0 10 0 0\n")

    seen = look(tmp_path, {}, tmp_path, pause)
    assert seen.busy_share == pytest.approx(0.4)
    assert seen.steal_share == pytest.approx(0.1)
    assert (seen.cpu_temperature_c, seen.perf_paranoia) == (91.0, 4)
    assert seen.environment.memory_bytes == 1 << 30


def test_a_gpu_is_noticed_without_its_driver(tmp_path: Path) -> None:
    put(tmp_path, "sys/bus/pci/devices/0000:1b:00.0/vendor", "0x10de\n")
    put(tmp_path, "sys/bus/pci/devices/0000:1b:00.0/class", "0x040300\n")  # its sound card
    assert not look(tmp_path, {}, tmp_path, lambda _: None).nvidia.hardware
    put(tmp_path, "sys/bus/pci/devices/0000:1b:00.0/class", "0x030200\n")
    assert look(tmp_path, {}, tmp_path, lambda _: None).nvidia.hardware


@given(content=st.binary(max_size=40) | st.sampled_from([b"cpu\n", b"cpu 1 2\n", b"cpu -1 x\n"]))
def test_nothing_on_the_machine_can_fail_the_look(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("broken")
    for name in [
        *SYSTEM,
        "proc/stat",
        "sys/bus/pci/devices/0/vendor",
        "sys/bus/pci/devices/0/class",
    ]:
        put(root, name, "")
        (root / name).write_bytes(content)
    look(root, {}, root, lambda _: None)


def test_meters_are_told_in_the_order_in_which_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLEM_POWERCAP", "/nowhere")
    states = meter_states(GOOD.nvidia)
    assert [state.meter for state in states][:4] == ["nvml", "zeus", "rapl", "estimate"]
    assert [state.meter for state in states if state.taken] == ["nvml"]
    assert (states[0].scopes, states[0].methods) == (("gpu",), ("counter",))
    refused = replace(CARD, refusal="MIG")
    states = meter_states(Nvidia((refused,)))
    assert (states[0].state, states[0].reason) == ("nothing to read", "MIG")
    assert [state.meter for state in states if state.taken] == ["estimate"]
    assert states[2].reason == "no CPU package in /nowhere"


def test_engines_are_asked_for_where_they_would_run(tmp_path: Path) -> None:
    environ = {
        "LLEM_VLLM_PYTHON": sys.executable,
        "LLEM_TRANSFORMERS_PYTHON": "/nowhere/bin/python",
        "LLEM_TENSORRT_LLM_IMAGE": "example.org/tensorrt:1",
    }
    states = {one.engine: one for one in engine_states(tmp_path, environ)}
    assert (states["openai"].place, states["openai"].usable) == ("here", True)
    assert (states["vllm"].place, states["vllm"].usable) == (sys.executable, False)
    assert "has no vllm" in (states["vllm"].reason or "")
    assert "there is no interpreter /nowhere/bin/python" in (states["transformers"].reason or "")
    assert states["tensorrt_llm"].usable is None
    assert states["tensorrt_llm"].place == "image example.org/tensorrt:1"


def test_an_interpreter_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "python", "#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(engines, "ANSWER_S", 0.2)
    environ = {"LLEM_VLLM_PYTHON": str(tmp_path / "python")}
    states = {one.engine: one for one in engine_states(tmp_path, environ)}
    assert (states["vllm"].reason or "").endswith("did not answer in 0.2 s.")


def test_a_machine_has_its_place_in_the_matrix() -> None:
    rows = supported(MACHINE, meter_states(GOOD.nvidia), "linux-x86_64")
    told = [(row.device, row.meter, row.status) for row in rows]
    assert told == [
        ("NVIDIA H100 80GB HBM3", "nvml", "may work"),
        ("AMD EPYC 9654", "rapl", "may work"),
        ("AMD EPYC 9654", "estimate", "confirmed"),
        ("AMD EPYC 9654", "codecarbon", "may work"),
    ]
    unheard = MACHINE.model_copy(update={"gpus": (Gpu(name="Example"),)})
    assert supported(unheard, (), "linux-x86_64")[0].status == "unknown"


def test_a_project_that_no_run_could_begin_with_is_a_finding(tmp_path: Path) -> None:
    put(tmp_path, "pyproject.toml", "[tool.llem.engines.vllm]\npyhton = 1\n")
    diagnosis = examine(tmp_path, {}, pause=lambda _: None)
    assert diagnosis.impossible
    assert "engines.configuration" in [finding.check for finding in diagnosis.findings]
    levels = [finding.level for finding in diagnosis.findings]
    assert levels == sorted(levels, key=["impossible", "disturbs", "note"].index)


def diagnosis_of(seen: Seen) -> Diagnosis:
    return Diagnosis(
        tool_version="1.0",
        executable="/usr/bin/python",
        environment=seen.environment,
        findings=tuple(found(seen)),
        meters=meter_states(seen.nvidia),
        engines=(),
        support=supported(seen.environment, (), "linux-x86_64"),
    )


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("seen", [GOOD, card(mig=True, max_sm_clock_mhz=1980.0)])
def test_what_is_printed_fits_its_width(seen: Seen, width: int, unicode: bool) -> None:
    lines = doctor_lines(diagnosis_of(seen), width=width, unicode=unicode)
    assert max(map(len, lines)) <= width
    assert unicode or all(line.isascii() for line in lines)


def test_what_is_printed_says_what_was_found_and_how_to_mend_it() -> None:
    text = "\n".join(doctor_lines(diagnosis_of(card(persistence=False))))
    assert "GPU 0      NVIDIA H100 80GB HBM3, limit 700 of 700 W by default" in text
    assert "disturbs    GPU 0: persistence mode is off: off" in text
    assert "mend: sudo nvidia-smi -i GPU-1 -pm 1" in text
    assert "taken by auto; scope gpu, counter: 1 × NVIDIA H100 80GB HBM3" in text
    assert text.endswith("ready, with 1 that would disturb a measurement")
    assert "nothing that was looked for" in "\n".join(doctor_lines(diagnosis_of(GOOD)))
    assert "not ready: 1 to mend" in "\n".join(doctor_lines(diagnosis_of(card(mig=True))))


@pytest.fixture
def llem(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``llem`` in an empty project, with GPUs if there are to be any."""

    def llem(
        *arguments: str, gpus: Sequence[Double] | None = None, **of_driver: Any
    ) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "LLEM_POWERCAP": "/nowhere"}
        if gpus is not None:
            if compiler() is None:
                pytest.skip("no C compiler (cc)")
            environ |= nvml_double(tmp_path, list(gpus), **of_driver)
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "pytest_llem", *arguments],
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return llem


def test_the_command_tells_all_of_a_gpu_and_leaves_with_0_if_measuring_is_possible(
    llem: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    gpu = Double(
        curve=Constant(300.0),
        persistence=0,
        power_limit_mw=500_000,
        ecc_pending=0,
        pcie_width=4,
        temperature_c=85,
        processes=(Process(pid=os.getpid()),),
    )
    done = llem("doctor", "--json", gpus=[gpu])
    told = json.loads(done.stdout)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(told)
    checks = {finding["check"] for finding in told["findings"]}
    expected = "persistence power_limit clocks ecc_pending pcie_width hot processes"
    assert {f"gpu.{name}" for name in expected.split()} <= checks
    assert told["meters"][0]["taken"]
    assert told["environment"]["gpus"][0]["max_power_limit_w"] == 700.0
    assert done.returncode == 0, done.stderr


def test_a_gpu_that_cannot_be_measured_makes_the_command_fail(
    llem: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = llem("doctor", gpus=[Double(curve=Constant(300.0), mig=1)])
    assert done.returncode == 1
    assert "impossible  GPU 0: MIG mode is on: on" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_driver_that_does_not_start_makes_the_command_fail(
    llem: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = llem("doctor", gpus=[], init=18)
    assert done.returncode == 1
    assert "impossible  the NVIDIA driver does not answer: NVML does not start" in done.stdout


def test_looking_a_machine_over_imports_no_engine_and_writes_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pytest_llem.runs.doctor import examine\n"
        "from pytest_llem.reports.doctor import doctor_lines\n"
        "doctor_lines(examine(Path()))\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.check_output(command, text=True, cwd=tmp_path).split()
    heavy = ("torch", "transformers", "vllm", "numpy", "scipy", "pyarrow", "zeus", "codecarbon")
    assert [name for name in loaded if name.partition(".")[0] in heavy] == []
    assert list(tmp_path.iterdir()) == []


def test_every_check_is_documented() -> None:
    root = Path(__file__).parents[2]
    docs = (root / "docs" / "doctor.md").read_text()
    sources = (root / "src" / "pytest_llem" / "runs" / "doctor").glob("*.py")
    checks = {
        check
        for source in sources
        for check in re.findall(r'check="([a-z._]+)"', source.read_text())
    }
    assert len(checks) > 25
    assert [check for check in sorted(checks) if f"`{check}`" not in docs] == []
