"""``llem doctor``: the place that a run would have, its meters and its engines."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.good_machine import (
    CARD,
    GOOD,
    MACHINE,
    put,
)
from pytest_llem.isolation.exclusive.holder import this_process
from pytest_llem.isolation.exclusive.lock_file import try_lock
from pytest_llem.results.environment import Gpu
from pytest_llem.runs.doctor import engines, examine
from pytest_llem.runs.doctor.engines import engine_states
from pytest_llem.runs.doctor.meters import meter_states
from pytest_llem.runs.doctor.place import place_findings
from pytest_llem.runs.doctor.seen import Nvidia, look
from pytest_llem.runs.doctor.support import supported

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.results.diagnosis import Finding


SYSTEM = {
    "proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n",
    "proc/sys/kernel/perf_event_paranoid": "4\n",
    "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
    "sys/class/thermal/thermal_zone0/temp": "91000\n",
    "sys/class/thermal/thermal_zone1/type": "iwlwifi_1\n",
    "sys/class/thermal/thermal_zone1/temp": "99000\n",
}


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
