"""Experiments in real containers: what they find inside, what is kept, how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from instruments.boxes import IMAGE, Boxed, boxed
from pytest_llem.isolation.container.owner import own_name
from pytest_llem.isolation.container.runtime import LABEL, OWNER_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

CONTAINER = "--llem-isolation=container"
QUICK = '{"windows": 2, "window_s": 0.1, "warmup_min_s": 0, "warmup_max_s": 1}'
HEAD = f"""
import os, signal, subprocess, sys, time
import pytest

quick = pytest.mark.llem(measurement={QUICK})
"""
PATIENCE_S = 60.0


@pytest.fixture(scope="session")
def machine() -> Boxed:
    """How containers are started here."""
    found = boxed()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture
def box(machine: Boxed) -> Iterator[Boxed]:
    """Containers by whose label this test knows its own; none of them outlives it."""
    label = f"pytest-llem-test={uuid.uuid4().hex}"
    box = replace(machine, arguments=[*machine.arguments, f"--label={label}"])
    yield box
    until = time.monotonic() + PATIENCE_S
    while (left := containers(box)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def containers(box: Boxed) -> list[str]:
    """Ids of this test's containers, ended ones too."""
    label = box.arguments[-1].removeprefix("--label=")
    listed = box.podman("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
    return listed.stdout.split()


def text_of(result: pytest.RunResult) -> str:
    return f"{result.stdout.str()}\n{result.stderr.str()}"


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


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV (during call)"),
        ("os.abort()", "killed by SIGABRT (during call)"),
        ("os._exit(7)", "exited before finishing, with status 7 (during call)"),
        ("os.kill(1, signal.SIGTERM); time.sleep(60)", "killed by SIGKILL (during call)"),
        ("time.sleep(600)", "timed out: the experiment took longer than 3 s"),
    ],
    ids=["SIGSEGV", "abort", "exit", "the container", "hang"],
)
def test_an_end_is_told_as_of_any_process(
    run: Run, pytester: pytest.Pytester, box: Boxed, body: str, said: str
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    timeout = "--llem-timeout=3" if "600" in body else "--llem-timeout=60"
    result = run(
        HEAD + f"def test_it(energy):\n    print('last words', flush=True); {body}\n",
        CONTAINER,
        timeout,
    )
    result.assert_outcomes(failed=1)
    assert said in text_of(result)


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


def test_ctrl_c_reaches_the_experiment_and_ends_the_container(
    pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    process = started(pytester, box)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in out
    assert Path(pytester.path, "interrupted").exists()


def test_the_container_ends_with_a_pytest_that_was_killed(
    pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    process = started(pytester, box)
    process.kill()
    process.communicate(timeout=PATIENCE_S)


def started(pytester: pytest.Pytester, box: Boxed) -> subprocess.Popen[str]:
    """Pytest in a process, with an experiment under way that never ends by itself."""
    pytester.makepyfile(
        test_it=HEAD
        + """
def test_it(energy):
    open("begun", "w").close()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        open("interrupted", "w").close()
        raise
"""
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", CONTAINER],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until = time.monotonic() + PATIENCE_S
    while not Path(pytester.path, "begun").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(containers(box)) == 1
    return process


def test_what_a_dead_pytest_left_is_removed_and_that_of_a_living_one_is_not(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    def leave(owner: str) -> str:
        labels = ["--label", f"{LABEL}=0", "--label", f"{OWNER_LABEL}={owner}"]
        options = ["--detach", "--network=none", "--volume=/usr:/usr:ro", *box.arguments]
        done = box.podman("run", *options, *labels, IMAGE, "/usr/bin/sleep", "600")
        assert not done.returncode, done.stderr
        return done.stdout.strip()

    ours = own_name()
    leave(ours.rpartition("/")[0] + "/1")
    alive = leave(ours)
    try:
        pytester.makepyprojecttoml(box.table("transformers"))
        run(HEAD + "def test_it(energy): pass", CONTAINER).assert_outcomes(passed=1)
        assert containers(box) == [alive]
    finally:
        box.podman("rm", "--force", "--time=0", alive)


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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda text: text.replace(IMAGE, "localhost/no/such:1"),
            "podman pull localhost/no/such:1",
        ),
        (lambda text: text.replace("transformers", "vllm"), "LLEM_TRANSFORMERS_IMAGE"),
        (lambda text: text.replace(sys.executable, "/usr/bin/nothing"), "/usr/bin/nothing"),
        (lambda text: text.replace(sys.executable, "/usr/bin/echo"), "does not answer as Python"),
        (
            lambda text: text.replace(
                "runtime_arguments = [", 'runtime_arguments = ["--nonsense", '
            ),
            "--nonsense",
        ),
        (lambda text: text.replace('shm_size = "64m"', "shm_size = 64"), "shm_size=64"),
    ],
    ids=["no image", "no image configured", "no interpreter", "no python", "runtime", "size"],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    run: Run,
    pytester: pytest.Pytester,
    box: Boxed,
    change: Callable[[str], str],
    said: str,
) -> None:
    pytester.makepyprojecttoml(change(box.table("transformers")))
    result = run(HEAD + "def test_it(energy): pass", CONTAINER)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in text_of(result)
    assert "Traceback" not in text_of(result)
    assert not (pytester.path / ".llem").exists()


def test_an_image_without_pytest_llem_says_how_to_install_it(
    run: Run, pytester: pytest.Pytester, box: Boxed
) -> None:
    table = box.table("transformers").replace(sys.executable, "/usr/bin/python3")
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is no other Python on this machine")
    pytester.makepyprojecttoml(table)
    result = run(HEAD + "def test_it(energy): pass", CONTAINER)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert IMAGE in text_of(result)


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
