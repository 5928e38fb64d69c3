"""Experiments in containers: what they find inside, and what is kept of them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instruments.boxes import IMAGE
from instruments.printed import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.boxes import Boxed

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

CONTAINER = "--llem-isolation=container"
QUICK = '{"windows": 2, "window_s": 0.1, "warmup_min_s": 0, "warmup_max_s": 1}'
HEAD = f"""
import os, signal, subprocess, sys, time
import pytest

quick = pytest.mark.llem(measurement={QUICK})
"""


def test_what_an_experiment_finds_inside(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("SOMETHING_ELSE", "of the host")
    monkeypatch.setenv("HF_HOME", str(pytester.mkdir("hub")))
    pytester.makepyprojecttoml(box.table("transformers", environment=["LANG=C.UTF-8", "FROM=us"]))
    result = run(
        HEAD
        + """
@quick
def test_it(energy, tmp_path, tmp_path_factory):
    assert open("/proc/1/cmdline").read().split("\\0")[2] == "pytest_llem.isolation.container.init"
    assert not os.path.exists("/boot")
    assert open("/proc/net/dev").read().count(":") == 1, "only the loopback"
    shm = os.statvfs("/dev/shm")
    assert shm.f_blocks * shm.f_frsize == 64 * 2**20
    assert os.environ["HF_TOKEN"] == "secret" and os.environ["FROM"] == "us"
    assert "SOMETHING_ELSE" not in os.environ and "HOSTNAME" in os.environ
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    with pytest.raises(OSError):
        open(os.environ["HF_HOME"] + "/new", "w")
    open(os.environ["HOME"] + "/new", "w").close()
    (tmp_path / "written").write_text("x")
    open("beside", "w").close()
    assert b"HF_TOKEN=" not in open("/proc/1/cmdline", "rb").read()
    assert energy.measure(lambda: sum(range(10_000)), work={"output_tokens": 5}).energy_j > 0
""",
        CONTAINER,
        "--basetemp=kept",
    )
    result.assert_outcomes(passed=1)
    (written,) = pytester.path.glob("kept/*/test_it0/written")
    assert (written.stat().st_uid, written.stat().st_gid) == (os.getuid(), os.getgid())
    assert (pytester.path / "beside").exists()
    (found,) = stored()
    there = found["elsewhere"]
    assert there["image"] == IMAGE
    assert there["image_id"] == "sha256:" + box.podman(
        "image", "inspect", "--format", "{{.Id}}", IMAGE
    ).stdout.strip().removeprefix("sha256:")
    assert there["image_digest"] is None, "it never was in a registry"
    assert there["runtime"].startswith("podman ")
    assert there["executable"] == sys.executable
    assert there["packages"]["pytest"] == pytest.__version__


def test_outcomes_output_and_reruns_are_those_of_a_plain_run(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    result = run(
        HEAD
        + """
def test_passes(energy): pass
def test_fails(energy): assert 1 == 2
def test_skips(energy): pytest.skip("not today")
def test_leaves_processes(energy):
    subprocess.Popen(["/usr/bin/sleep", "1234.5"], start_new_session=True)
""",
        CONTAINER,
        "--reruns=1",
        "-rA",
    )
    counted = result.parseoutcomes()
    assert (counted["passed"], counted["failed"], counted["skipped"]) == (2, 1, 1)
    assert counted["rerun"] == 1
    assert "assert 1 == 2" in text_of(result)
    sleeping = subprocess.run(["pgrep", "-f", "sleep 1234.5"], check=False, capture_output=True)
    assert sleeping.stdout == b""


def test_an_engine_that_is_not_here_takes_its_image_by_itself(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers", "not_here"))
    result = run(
        HEAD
        + """
@quick
def test_it(energy):
    energy.measure(lambda: sum(range(10_000)), work={"output_tokens": 5})
""",
        "--llem-backend=transformers,not_here",
    )
    result.assert_outcomes(passed=2)
    where = {one["config"]["backend"]: one["elsewhere"] for one in stored()}
    assert where["transformers"] is None
    assert where["not_here"]["image"] == IMAGE


def test_a_real_model_is_measured_in_a_container(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytest.importorskip("transformers")
    pytester.makepyprojecttoml(box.table("transformers"))
    result = run(
        HEAD
        + """
@pytest.mark.llem(output_tokens=4, input_tokens=8, measurement={"windows": 2, "window_s": 0.1,
                  "warmup_min_s": 0, "warmup_max_s": 1, "idle_s": 0})
def test_it(energy, model):
    assert energy.measure(model).energy_j > 0
""",
        CONTAINER,
    )
    result.assert_outcomes(passed=1)
    (found,) = stored()
    assert found["engine"]["versions"]["torch"]
    assert found["elsewhere"]["packages"]["torch"] == found["engine"]["versions"]["torch"]
