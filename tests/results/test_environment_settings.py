"""What of a machine's settings explains a change: clocks, limits, links, libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.results.environment import Environment, collect_environment, recorded_libraries
from pytest_llem.results.environment.libraries import libraries

CPU = "sys/devices/system/cpu"
SCHEMA = Path(__file__).parents[2] / "schemas" / "environment.v1.schema.json"
OF_BEFORE = {
    "schema_version": 1,
    "os": "Example Linux 12",
    "threads": 3,
    "gpus": [{"uuid": "GPU-1", "name": "Example", "power_limit_w": 700.0, "mig": False}],
    "packages": {"torch": "2.13.0"},
    "git": {"commit": "c0ffee", "branch": "topic", "dirty": False},
}


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A server with two CPUs, in files."""
    files = {
        "proc/cpuinfo": "cpu MHz\t\t: 2000.5\ncpu MHz\t\t: 3000.5\n",
        "proc/meminfo": "MemTotal: 1024 kB\nMemAvailable: 512 kB\nSwapTotal: 64 kB\nSwapFree: 48 kB\n",
        "proc/self/cgroup": "0::/job\n",
        "sys/fs/cgroup/memory.max": "max\n",
        "sys/fs/cgroup/job/memory.max": "524288\n",
        "sys/fs/cgroup/job/cpu.max": "150000 100000\n",
        f"{CPU}/smt/active": "1\n",
        f"{CPU}/intel_pstate/no_turbo": "0\n",
        "sys/devices/system/node/node0/cpulist": "0\n",
        "sys/devices/system/node/node1/cpulist": "1\n",
        "sys/bus/pci/devices/0000:1b:00.0/numa_node": "1\n",
        "sys/bus/pci/devices/0000:2c:00.0/numa_node": "-1\n",
    }
    for number, mhz in enumerate((1500, 2500)):
        policy = f"{CPU}/cpu{number}/cpufreq"
        files |= {
            f"{policy}/scaling_driver": "intel_pstate\n",
            f"{policy}/scaling_governor": "powersave\n",
            f"{policy}/energy_performance_preference": "balance_performance\n",
            f"{policy}/scaling_cur_freq": f"{mhz * 1000}\n",
            f"{policy}/scaling_min_freq": f"{800_000 + number}\n",
            f"{policy}/scaling_max_freq": f"{3_800_000 + number * 100_000}\n",
        }
    for name, content in files.items():
        put(tmp_path, name, content)
    return tmp_path


def put(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def look(system: Path, driver_facts: dict[str, Any] | None = None, **environ: str) -> Environment:
    return collect_environment(system, driver_facts, environ=environ, system=system)


def test_who_decides_how_fast_processors_run_is_told(system: Path) -> None:
    seen = look(system)
    assert (seen.scaling_driver, seen.governor) == ("intel_pstate", "powersave")
    assert seen.energy_preference == "balance_performance"
    assert (seen.min_cpu_mhz, seen.cpu_mhz, seen.max_cpu_mhz) == (800.0, 2000.0, 3900.0)
    assert (seen.turbo, seen.smt, seen.numa_nodes) == (True, True, 2)


@pytest.mark.parametrize(
    ("file", "content", "turbo"),
    [
        ("intel_pstate/no_turbo", "1\n", False),
        ("cpufreq/boost", "1\n", True),
        ("cpufreq/boost", "0\n", False),
        ("cpufreq/boost", "perhaps\n", None),
        ("nothing", "", None),
    ],
)
def test_turbo_is_told_by_whichever_file_there_is(
    tmp_path: Path, file: str, content: str, turbo: bool | None
) -> None:
    put(tmp_path, f"{CPU}/{file}", content)
    assert look(tmp_path).turbo is turbo


def test_without_frequency_scaling_the_processor_says_how_fast_it_runs(tmp_path: Path) -> None:
    put(tmp_path, "proc/cpuinfo", "cpu MHz : 2000.5\ncpu MHz : 3000.5\n")
    seen = look(tmp_path)
    assert (seen.cpu_mhz, seen.governor, seen.max_cpu_mhz) == (2500.5, None, None)


def test_what_a_job_may_use_is_told_beside_what_there_is(system: Path) -> None:
    seen = look(system)
    assert (seen.cpu_quota, seen.memory_limit_bytes) == (1.5, 1 << 19)
    assert (seen.memory_bytes, seen.memory_available_bytes) == (1 << 20, 1 << 19)
    assert (seen.swap_bytes, seen.swap_used_bytes) == (64 << 10, 16 << 10)


def test_no_limit_is_none_in_either_version_of_control_groups(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "3:memory:/job\n2:cpu:/job\n")
    put(tmp_path, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n")
    assert look(tmp_path).memory_limit_bytes is None
    put(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n")
    assert look(tmp_path).memory_limit_bytes == 4096


def test_a_gpu_is_near_to_one_part_of_the_memory(system: Path) -> None:
    gpus = [{"pci_bus_id": f"00000000:{bus}:00.0"} for bus in ("1B", "2C", "3D")] + [{}]
    seen = look(system, {"gpus": gpus})
    assert seen.gpus is not None
    assert [gpu.numa_node for gpu in seen.gpus] == [1, None, None, None]


@pytest.mark.parametrize(
    ("file", "content", "version"),
    [
        ("version.json", '{"cuda": {"name": "CUDA SDK", "version": "12.8.1"}}', "12.8.1"),
        ("version.json", '{"cuda": 12}', None),
        ("version.json", "no json", None),
        ("version.txt", "CUDA Version 10.2.89\n", "10.2.89"),
        ("readme.txt", "", None),
    ],
)
def test_the_toolkit_says_its_version(
    tmp_path: Path, file: str, content: str, version: str | None
) -> None:
    put(tmp_path, f"usr/local/cuda/{file}", content)
    assert look(tmp_path).cuda_toolkit_version == version


def test_the_toolkit_that_the_environment_names_counts(tmp_path: Path) -> None:
    put(tmp_path, "usr/local/cuda/version.json", '{"cuda": {"version": "12.8.1"}}')
    put(tmp_path, "opt/cuda/version.json", '{"cuda": {"version": "13.0.0"}}')
    assert look(tmp_path, CUDA_HOME="/opt/cuda").cuda_toolkit_version == "13.0.0"


def test_libraries_below_an_engine_are_found_without_opening_them(tmp_path: Path) -> None:
    folders = [
        "one/nvidia_cudnn_cu12-9.1.0.70.dist-info",
        "one/flash_attn-2.8.3.dist-info",
        "one/requests-2.32.0.dist-info",
        "one/broken.dist-info",
        "two/nvidia_cudnn_cu12-8.0.dist-info",
        "two/triton-3.6.0.dist-info",
    ]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    path = [str(tmp_path / name) for name in ("one", "two", "nowhere")]
    found = {"flash-attn": "2.8.3", "nvidia-cudnn-cu12": "9.1.0.70", "triton": "3.6.0"}
    assert libraries(path) == found
    there = {"nvidia-cudnn-cu12": "9.1.0.70", "Triton": "3.6.0", "Flash_Attn": "2.8.3", "six": "1"}
    assert recorded_libraries(there) == found


def test_variables_that_move_speed_are_kept(system: Path) -> None:
    variables = {
        "OMP_WAIT_POLICY": "PASSIVE",
        "OMP_PLACES": "cores",
        "KMP_AFFINITY": "granularity=fine",
        "MKL_NUM_THREADS": "4",
        "NCCL_DEBUG": "WARN",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert look(system, HOME="/home/x", **variables).environment_variables == variables


def test_an_environment_of_before_is_read_with_what_is_new_unknown() -> None:
    seen = Environment.model_validate(OF_BEFORE)
    assert seen.gpus is not None
    assert (seen.turbo, seen.libraries, seen.swap_bytes) == (None, None, None)
    assert (seen.gpus[0].power_limit_w, seen.gpus[0].pcie_width) == (700.0, None)
    assert seen.model_dump(mode="json", exclude_unset=True) == OF_BEFORE


def test_no_field_of_the_schema_is_required_but_the_version() -> None:
    schema = json.loads(SCHEMA.read_text())
    assert schema["required"] == ["schema_version"]
    assert "required" not in schema["$defs"]["Gpu"]


@given(
    content=st.binary(max_size=40) | st.sampled_from([b"-1\n", b"max 0\n", b"0::/a:b\n", b"\n"]),
)
def test_nothing_in_a_setting_can_fail_the_snapshot(tmp_path_factory: Any, content: bytes) -> None:
    root = tmp_path_factory.mktemp("broken")
    for name in (
        f"{CPU}/intel_pstate/no_turbo",
        f"{CPU}/cpu0/cpufreq/scaling_cur_freq",
        f"{CPU}/smt/active",
        "proc/meminfo",
        "proc/self/cgroup",
        "sys/fs/cgroup/memory.max",
        "sys/bus/pci/devices/0000:1b:00.0/numa_node",
        "usr/local/cuda/version.json",
    ):
        put(root, name, "")
        (root / name).write_bytes(content)
    seen = look(root, {"gpus": [{"pci_bus_id": "00000000:1B:00.0"}]})
    assert Environment.model_validate_json(seen.model_dump_json()) == seen
