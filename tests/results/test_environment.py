"""The snapshot of a run's surroundings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pytest_llem
from pytest_llem.results.environment import Environment, Git, collect_environment

CPUINFO = """\
processor\t: 0
model name\t: Example 9000 @ 3 GHz
flags\t\t: fpu sse2{hypervisor}
"""


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A machine with 2 cores of 2 threads each, in files."""
    root = tmp_path / "system"
    put(root, "proc/cpuinfo", CPUINFO.format(hypervisor=""))
    put(root, "proc/meminfo", "MemTotal:       1048576 kB\nMemFree: 1 kB\n")
    put(root, "proc/loadavg", "1.25 0.50 0.10 2/300 4000\n")
    put(root, "proc/stat", "cpu  60 0 20 100 10 0 0 10 30 0\ncpu0 1 2 3\n")
    put(root, "proc/self/cgroup", "0::/user.slice/session.scope\n")
    put(root, "proc/self/mountinfo", "27 1 254:0 / / rw - ext4 /dev/vda rw\n")
    put(root, "etc/os-release", 'NAME="Example"\nPRETTY_NAME="Example Linux 12"\n')
    for number, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        cpu = f"sys/devices/system/cpu/cpu{number}"
        put(root, f"{cpu}/topology/thread_siblings_list", f"{siblings}\n")
        put(root, f"{cpu}/cpufreq/scaling_governor", "performance\n")
    return root


def put(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def look(system: Path, **environ: str) -> Environment:
    return collect_environment(system, None, environ=environ, system=system)


def test_the_machine_is_described(system: Path) -> None:
    seen = look(system, OMP_NUM_THREADS="3")
    assert seen.os == "Example Linux 12"
    assert seen.cpu_model == "Example 9000 @ 3 GHz"
    assert seen.physical_cores == 2
    assert seen.memory_bytes == 1 << 30
    assert seen.threads == 3
    assert seen.load_1m == 1.25
    assert seen.steal_share == 0.05
    assert seen.governor == "performance"
    assert seen.container is False
    assert seen.virtualized is False
    assert seen.git is None


def test_this_machine_is_described() -> None:
    seen = collect_environment(Path(__file__).parent, None)
    assert seen.logical_cores == os.cpu_count()
    assert seen.usable_cores is not None
    assert 0 < seen.usable_cores <= len(os.sched_getaffinity(0))
    assert seen.python == f"CPython {sys.version.split()[0]}"
    assert seen.kernel is not None
    assert seen.kernel.startswith(f"Linux {os.uname().release}")
    assert seen.steal_share is not None
    assert 0 <= seen.steal_share < 1
    assert seen.packages is not None
    assert seen.packages["pytest"] == pytest.__version__
    assert seen.packages["pytest-llem"] == pytest_llem.__version__
    assert seen.packages["pytest-xdist"]  # a plugin, by its entry point


def test_governors_that_differ_are_all_named(system: Path) -> None:
    put(system, "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n")
    assert look(system).governor == "performance,powersave"


@pytest.mark.parametrize(
    ("text", "threads"), [("8", 8), ("4,2", 4), ("", None), ("many", None), (" 2 ", 2)]
)
def test_threads_are_those_of_the_outermost_level(
    system: Path, text: str, threads: int | None
) -> None:
    assert look(system, OMP_NUM_THREADS=text).threads == threads


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"sys/fs/cgroup/user.slice/session.scope/cpu.max": "max 100000"}, None),
        ({"sys/fs/cgroup/user.slice/session.scope/cpu.max": "50000 100000"}, 0.5),
        ({"sys/fs/cgroup/user.slice/cpu.max": "25000 100000"}, 0.25),
        ({"sys/fs/cgroup/cpu.max": "10000 100000"}, 0.1),
        (
            {
                "sys/fs/cgroup/user.slice/cpu.max": "50000 100000",
                "sys/fs/cgroup/user.slice/session.scope/cpu.max": "20000 100000",
            },
            0.2,
        ),
        ({"sys/fs/cgroup/cpu.max": "broken"}, None),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n1:cpu,cpuacct:/jobs/7\n0::/\n",
                "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us": "30000",
                "sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_period_us": "100000",
            },
            0.3,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/docker/abc\n",  # the host's path, inside a container
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "40000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            0.4,
        ),
    ],
)
def test_the_tightest_quota_bounds_the_usable_cores(
    system: Path, files: dict[str, str], cores: float | None
) -> None:
    for name, content in files.items():
        put(system, name, f"{content}\n")
    assert look(system).usable_cores == (cores or len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".dockerenv", ""),
        ("run/.containerenv", ""),
        ("proc/self/cgroup", "0::/kubepods/pod1\n"),
        ("proc/self/mountinfo", "1 0 0:1 / / rw - overlay o lowerdir=/var/lib/containerd/1\n"),
    ],
)
def test_marks_of_a_container_are_found(system: Path, name: str, content: str) -> None:
    put(system, name, content)
    assert look(system).container is True


def test_a_host_that_runs_containers_is_none(system: Path) -> None:
    mounts = (
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "90 27 0:9 / /var/lib/docker/overlay2/a rw - overlay overlay lowerdir=/var/lib/docker/b\n"
    )
    put(system, "proc/self/mountinfo", mounts)
    assert look(system).container is False


def test_a_virtual_machine_is_told_by_its_processor_or_its_firmware(system: Path) -> None:
    put(system, "sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    assert look(system).virtualized is True
    put(system, "sys/class/dmi/id/sys_vendor", "Example Computers\n")
    assert look(system).virtualized is False
    put(system, "proc/cpuinfo", CPUINFO.format(hypervisor=" hypervisor"))
    assert look(system).virtualized is True
    put(system, "proc/cpuinfo", "processor: 0\nCPU implementer: 0x41\n")
    assert look(system).virtualized is None


def test_a_machine_without_proc_and_sys_is_unknown_rather_than_an_error(tmp_path: Path) -> None:
    seen = look(tmp_path / "nowhere")
    for field in ("os", "cpu_model", "physical_cores", "memory_bytes", "load_1m", "container"):
        assert getattr(seen, field) is None
    assert seen.python is not None


FILES = [
    "proc/cpuinfo", "proc/meminfo", "proc/loadavg", "proc/stat", "proc/self/cgroup",
    "proc/self/mountinfo", "etc/os-release", "sys/fs/cgroup/cpu.max",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
]  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=60), environ=st.dictionaries(st.text(), st.text(), max_size=3))
def test_nothing_on_the_machine_can_fail_the_snapshot(
    tmp_path_factory: Any, content: bytes, environ: dict[str, str]
) -> None:
    root = tmp_path_factory.mktemp("broken")
    for name in FILES:
        put(root, name, "")
        (root / name).write_bytes(content)
    seen = collect_environment(root, None, environ=environ, system=root)
    assert Environment.model_validate_json(seen.model_dump_json()) == seen


def test_directories_where_files_should_be_are_unknown(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).mkdir(parents=True)
    assert look(tmp_path).cpu_model is None


def test_what_the_driver_says_is_kept() -> None:
    gpu = {
        "uuid": "GPU-1", "name": "Example", "index": 0, "power_limit_w": 700.0,
        "memory_bytes": 80 << 30, "max_sm_clock_mhz": 1980.0, "persistence": True,
        "ecc": False, "mig": None, "pci_bus_id": "00000000:01:00.0",
    }  # fmt: skip
    facts = {"driver_version": "580.1", "cuda_driver_version": "13.0", "gpus": [gpu, {}]}
    seen = collect_environment(Path(), facts)
    assert seen.driver_version == "580.1"
    assert seen.cuda_driver_version == "13.0"
    assert seen.gpus is not None
    told = [each.model_dump(exclude_unset=True) for each in seen.gpus]
    assert told == [{**gpu, "numa_node": None}, {"numa_node": None}]


def test_no_driver_is_not_the_same_as_no_gpu() -> None:
    assert collect_environment(Path(), None).gpus is None
    assert collect_environment(Path(), {"gpus": []}).gpus == ()


@settings(max_examples=50, deadline=None)
@given(
    facts=st.dictionaries(
        st.sampled_from(["driver_version", "cuda_driver_version", "gpus", "else"]),
        st.none() | st.integers() | st.text() | st.lists(st.dictionaries(st.text(), st.floats())),
    ),
    gpu=st.dictionaries(
        st.sampled_from(["uuid", "index", "power_limit_w", "ecc", "memory_bytes", "new"]),
        st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text()),
    ),
)
def test_nothing_the_driver_says_can_fail_the_snapshot(
    tmp_path_factory: Any, facts: dict[str, Any], gpu: dict[str, Any]
) -> None:
    nowhere = tmp_path_factory.getbasetemp()
    for said in (facts, {"gpus": [gpu]}, {"gpus": gpu}):
        collect_environment(nowhere, said, environ={}, system=nowhere).model_dump_json()


def test_only_listed_variables_are_kept_and_never_a_secret(system: Path) -> None:
    variables = {
        "CUDA_VISIBLE_DEVICES": "0",
        "HF_HUB_OFFLINE": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_API_KEY": "secret",
        "VLLM_s3_secret": "secret",
        "VLLM_HTTP_PASSWORD": "secret",
        "VLLM_AUTH": "secret",
        "VLLM_SOME_TOKEN": "secret",
        "VLLM_MIRROR": "https://user:secret@example.org/",
        "HF_TOKEN": "secret",
        "PATH": "/bin",
    }
    seen = look(system, **variables)
    assert seen.environment_variables == {
        "CUDA_VISIBLE_DEVICES": "0",
        "HF_HUB_OFFLINE": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    assert "secret" not in seen.model_dump_json()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "topic")
    put(root, "file.txt", "one\n")
    git(root, "add", ".")
    git(root, "-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "first")
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=root, text=True).strip()


def state(root: Path, **environ: str) -> Git | None:
    return collect_environment(root, None, environ={"PATH": os.environ["PATH"], **environ}).git


def test_commit_branch_and_cleanness_are_those_of_the_project(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert state(repository) == Git(commit=commit, branch="topic", dirty=False)
    put(repository, "sub/new.txt", "untracked\n")
    assert state(repository / "sub") == Git(commit=commit, branch="topic", dirty=False)
    put(repository, "file.txt", "two\n")
    assert state(repository) == Git(commit=commit, branch="topic", dirty=True)
    git(repository, "checkout", "-q", "--detach")
    assert state(repository) == Git(commit=commit, branch=None, dirty=True)


def test_git_is_asked_about_the_project_even_inside_a_hook_of_another(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    found = state(repository, GIT_DIR="/nowhere/.git", GIT_INDEX_FILE="/nowhere/index")
    assert found == Git(commit=commit, branch="topic", dirty=False)


def test_a_repository_without_commits_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "topic")
    assert state(tmp_path) == Git(commit=None, branch="topic", dirty=False)


@pytest.mark.parametrize("script", [None, "exit 1", "echo nonsense; exit 3", "kill -9 $$"])
def test_a_missing_or_broken_git_is_unknown(
    tmp_path: Path, repository: Path, script: str | None
) -> None:
    if script is not None:
        put(tmp_path, "bin/git", f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin/git").chmod(0o755)
    assert state(repository, PATH=str(tmp_path / "bin")) is None


def test_a_slow_git_costs_cleanness_but_not_the_commit(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_llem.results.environment.git._TIMEOUT_S", 0.5)
    script = '#!/bin/sh\n[ "$3" = status ] && exec sleep 60\necho c0ffee\n'
    put(tmp_path, "bin/git", script)
    (tmp_path / "bin/git").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    assert state(repository, PATH=path) == Git(commit="c0ffee", branch=None, dirty=None)


def test_the_snapshot_imports_no_engine() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from pytest_llem.results.environment import collect_environment\n"
        "collect_environment(Path(), {'gpus': []})\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    heavy = ("torch", "transformers", "vllm", "numpy", "scipy", "pyarrow", "pynvml", "zeus")
    assert [name for name in loaded if name.startswith(heavy)] == []
