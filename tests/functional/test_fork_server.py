"""An experiment that was forked cannot tell: it finds what a fresh process would."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, object]]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server is for Linux")
WAYS = ("spawn", "fork-server")
FORKED = "--llem-isolation=fork-server"
LOOK_AROUND = """
import gc, json, locale, os, pathlib, resource, signal, sys, threading, warnings
import pytest

def handler(*_): pass
signal.signal(signal.SIGUSR1, handler)

@pytest.fixture(scope="session")
def made():
    return os.getpid()

@pytest.mark.parametrize("number", range(2))
def test_it(energy, number, made, tmp_path, request, pytestconfig):
    def links(number):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            return "gone"
        for kind in ("(deleted)", "llem-output-"):
            if kind in target:
                return kind
        return target.partition(":")[0] if ":" in target else target
    shown = pathlib.Path("/proc/self/environ").read_bytes().split(b"\\0")
    found = {
        "environment": dict(os.environ),
        "token shown": f"LLEM_EXPERIMENT={os.environ['LLEM_EXPERIMENT']}".encode() in shown,
        "directory": os.getcwd(),
        "mask": os.umask(0o022),
        "limits": [resource.getrlimit(n) for n in range(10)],
        "cores": sorted(os.sched_getaffinity(0)),
        "leads a session": os.getsid(0) == os.getpgrp() == os.getpid(),
        "signals": [str(signal.getsignal(n)).split(" at ")[0] for n in range(1, 32)],
        "mask of signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "arguments": sys.argv,
        "path": sys.path,
        "flags": str(sys.flags),
        "main": sys.modules["__main__"].__spec__.name,
        "threads": [thread.name for thread in threading.enumerate()],
        "tasks": len(os.listdir("/proc/self/task")),
        "standard files": [links(0), os.isatty(1), sys.stdout.encoding, sys.stderr.encoding],
        "files": sorted({links(n) for n in os.listdir("/proc/self/fd")}),
        "encoding": locale.getpreferredencoding(),
        "recursion": sys.getrecursionlimit(),
        "collection": gc.get_threshold(),
        "filters": len(warnings.filters),
        "session fixture is its own": made == os.getpid(),
        "test": [request.node.nodeid, len(request.session.items)],
        "pytest": [str(a) for a in pytestconfig.args],
        "options": {k: repr(v) for k, v in vars(pytestconfig.option).items()},
        "worker": sorted(pytestconfig.workerinput),
        "plugins": sorted(
            name for name, _ in pytestconfig.pluginmanager.list_name_plugin()
            if not name.isdigit()
        ),
        "temporary": str(tmp_path).partition("llem-")[2],
    }
    pathlib.Path(f"found-{number}.json").write_text(json.dumps(found))
"""


def seen(run: Run, pytester: pytest.Pytester, way: str) -> list[dict[str, Any]]:
    base = f"--basetemp={pytester.path / 'base'}"
    result = run(LOOK_AROUND, f"--llem-isolation={way}", base)
    result.assert_outcomes(passed=2)
    texts = [(pytester.path / f"found-{n}.json").read_text() for n in range(2)]
    found = [json.loads(re.sub(rf"{way}|runpytest-\d+|0x[0-9a-f]+", "OWN", text)) for text in texts]
    for one in found:
        assert len(one["environment"].pop("LLEM_EXPERIMENT")) >= 32
        one["options"].pop("llem_isolation")
    return found


def test_it_finds_what_a_fresh_process_finds(run: Run, pytester: pytest.Pytester) -> None:
    spawned, forked = (seen(run, pytester, way) for way in WAYS)
    for one, other in zip(spawned, forked, strict=True):
        host = "llem-host"
        assert host in other["plugins"]
        other["plugins"].remove(host)
        assert {key: other[key] for key in one} == one


HOOKS = """
import pytest

heard = []

def pytest_sessionstart(): heard.append("session starts")

def pytest_collection_modifyitems(items): heard.append([item.name for item in items])

def pytest_collection_finish(session): heard.append(session.testscollected)

def pytest_runtest_setup(item): heard.append(["sets up", item.name])

@pytest.fixture(autouse=True, scope="module")
def of_module():
    heard.append("fixture of a module")
    yield
"""
XUNIT = """
import json, pathlib
import conftest

def setup_module(): conftest.heard.append("module")

def setup_function(): conftest.heard.append("function")

class TestIt:
    @classmethod
    def setup_class(cls): conftest.heard.append("class")

    def setup_method(self): conftest.heard.append("method")

    def test_method(self, energy):
        pathlib.Path("heard").write_text(json.dumps(conftest.heard))

def test_before(energy): pass
"""


def test_hooks_and_setups_run_as_often_as_in_a_fresh_process(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(HOOKS)
    heard = []
    for way in WAYS:
        run(XUNIT, f"--llem-isolation={way}").assert_outcomes(passed=2)
        heard.append(json.loads(Path("heard").read_text()))
    assert heard[0] == heard[1]
    assert heard[0].count("module") == heard[0].count("fixture of a module") == 1


def test_a_file_is_collected_once_for_all_its_experiments(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        """
        import os

        def pytest_generate_tests(metafunc):
            with open("generated", "a") as file:
                file.write(f"{os.getpid()}\\n")
        """
    )
    run(
        """
        import os, pathlib
        import pytest

        @pytest.mark.parametrize("number", range(5))
        def test_it(energy, number, request):
            pathlib.Path("host").write_text(str(os.getppid()))
            assert [item.name for item in request.session.items] == [request.node.name]
        """,
        FORKED,
    ).assert_outcomes(passed=5)
    _, *of_children = Path("generated").read_text().split()
    assert of_children == [Path("host").read_text()]


@pytest.mark.parametrize("way", WAYS)
def test_asserts_tell_values_in_a_file_of_any_name(pytester: pytest.Pytester, way: str) -> None:
    pytester.path.joinpath("bench.py").write_text(
        "def test_it(energy):\n    answer = 41\n    assert answer == 42\n"
    )
    result = pytester.runpytest_subprocess("bench.py", f"--llem-isolation={way}")
    result.stdout.fnmatch_lines(["*assert 41 == 42*"])


@pytest.mark.parametrize("way", WAYS)
def test_an_item_that_only_the_parent_collects_is_said_to_be_missing(run: Run, way: str) -> None:
    result = run(
        """
        import os
        import pytest

        here = "LLEM_EXPERIMENT" in os.environ

        @pytest.mark.parametrize("text", ["child"] if here else ["child", "parent"])
        def test_it(energy, text): pass
        """,
        f"--llem-isolation={way}",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*exited before finishing, with status 4*", "*not found: */test_it.py::test_it*"]
    )


@pytest.mark.parametrize("way", WAYS)
def test_devices_that_are_visible_now_are_those_of_the_experiment(run: Run, way: str) -> None:
    result = run(
        """
        import os, pathlib
        def test_one(energy):
            assert "CUDA_VISIBLE_DEVICES" not in os.environ
            pathlib.Path("host").write_text(str(os.getppid()))
        def test_plain(): os.environ["CUDA_VISIBLE_DEVICES"] = "1"
        def test_two(energy):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
            assert pathlib.Path("host").read_text() == str(os.getppid())
        """,
        f"--llem-isolation={way}",
    )
    result.assert_outcomes(passed=3)


NUMBERS = """
import pathlib, random
import pytest
{seeding}
@pytest.mark.parametrize("number", range(2))
def test_it(energy, number):
    import numpy
    drawn = f"{{random.random()}} {{numpy.random.random()}}"
    pathlib.Path(f"drawn-{{number}}").write_text(drawn)
"""


def drawn(run: Run, way: str, seeding: str) -> list[str]:
    run(NUMBERS.format(seeding=seeding), f"--llem-isolation={way}").assert_outcomes(passed=2)
    return [Path(f"drawn-{number}").read_text() for number in range(2)]


def test_random_numbers_differ_where_nobody_seeded(run: Run) -> None:
    one, other = (text.split() for text in drawn(run, "fork-server", "import numpy.random"))
    assert one[0] != other[0]
    assert one[1] != other[1]


def test_a_seed_of_the_test_file_holds_in_each_fork(run: Run) -> None:
    seeding = "import numpy; numpy.random.seed(7); random.seed(7)"
    spawned, forked = (drawn(run, way, seeding) for way in WAYS)
    assert spawned == forked


def test_a_file_finds_nothing_that_another_imported(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(only_a="", test_a="import only_a\ndef test_a(energy): pass")
    result = run(
        """
        import sys

        def test_it(energy): assert "only_a" not in sys.modules
        """,
        FORKED,
        "-p",
        "no:cacheprovider",
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("where", ["conftest", "test file"])
def test_a_thread_started_on_import_makes_it_spawn(
    run: Run, stored: Stored, pytester: pytest.Pytester, where: str
) -> None:
    thread = """
        import threading, time
        threading.Thread(target=time.sleep, args=(600,), daemon=True, name="busy-bee").start()
        """
    test = "\n        def test_one(energy): pass\n        def test_two(energy): pass\n"
    if where == "conftest":
        pytester.makeconftest(thread)
    result = run(test if where == "conftest" else thread + test, FORKED)
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*spawned, not forked: 1 threads*busy-bee*"])
    assert [one["isolation"] for one in stored()] == ["spawn", "spawn"]
    assert all("busy-bee" in str(one["isolation_reason"]) for one in stored())


def test_warnings_as_errors_do_not_make_it_fail(run: Run) -> None:
    result = run(
        """
        import threading, time
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        def test_one(energy): pass
        """,
        FORKED,
        "-Werror",
    )
    result.assert_outcomes(passed=1, warnings=1)


def test_coverage_of_children_makes_it_spawn(
    run: Run, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "/dev/null")
    result = run("def test_one(energy): pass", "--llem-isolation=auto")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*isolation spawn*"])
    assert [one["isolation_reason"] for one in stored()] == [
        "coverage is measured in child processes"
    ]


def test_it_is_the_default_where_it_is_safe(run: Run, stored: Stored) -> None:
    run("def test_one(energy): pass").assert_outcomes(passed=1)
    assert [one["isolation"] for one in stored()] == ["fork-server"]


def test_a_changed_environment_is_found_by_the_next(run: Run, stored: Stored) -> None:
    result = run(
        """
        import os
        def test_one(energy): assert "NEWS" not in os.environ
        def test_plain(): os.environ["NEWS"] = "some"
        def test_two(energy): assert os.environ["NEWS"] == "some"
        def test_mask(): os.umask(0o077)
        def test_three(energy): assert os.umask(0) == 0o077
        """,
        FORKED,
    )
    result.assert_outcomes(passed=5)
    assert {one["isolation"] for one in stored()} == {"fork-server"}


KILLS_ITS_HOST = """
import os, pathlib, signal, time

def test_before(energy): pass

def test_kills(energy):
    tries = pathlib.Path("tries")
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    if len(tries.read_text()) <= {times}:
        victim = os.getppid()
        if {server}:
            stat = pathlib.Path(f"/proc/{{victim}}/stat").read_text()
            victim = int(stat.rpartition(") ")[2].split()[1])
        os.kill(victim, signal.SIGKILL)
        time.sleep(600)

def test_after(energy): pass
"""


@pytest.mark.parametrize("server", [True, False], ids=["server", "host"])
def test_a_killed_server_is_started_again(run: Run, stored: Stored, server: bool) -> None:
    result = run(KILLS_ITS_HOST.format(times=1, server=server), FORKED)
    result.assert_outcomes(passed=3)
    assert [one["isolation"] for one in stored()] == ["fork-server"] * 3
    assert Path("tries").read_text() == "xx"


def test_a_server_that_keeps_dying_is_given_up(run: Run, stored: Stored) -> None:
    result = run(KILLS_ITS_HOST.format(times=3, server=False), FORKED)
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(["*the fork server died 3 times*"])
    ways = {str(one["node_id"]).partition("::")[2]: one["isolation"] for one in stored()}
    assert ways == {"test_before": "fork-server", "test_kills": "spawn", "test_after": "spawn"}


def test_a_server_killed_between_experiments_is_started_again(run: Run, stored: Stored) -> None:
    result = run(
        """
        import os, pathlib, signal
        def test_one(energy): pathlib.Path("host").write_text(str(os.getppid()))
        def test_plain(): os.kill(int(pathlib.Path("host").read_text()), signal.SIGKILL)
        def test_two(energy): pass
        """,
        FORKED,
    )
    result.assert_outcomes(passed=3)
    assert [one["isolation"] for one in stored()] == ["fork-server"] * 2


def test_what_was_registered_for_the_exit_runs(run: Run) -> None:
    run(
        """
        import atexit, pathlib, threading, time
        def late():
            time.sleep(0.2)
            pathlib.Path("thread").touch()
        def test_it(energy):
            atexit.register(pathlib.Path("atexit").touch)
            threading.Thread(target=late).start()
        """,
        FORKED,
    ).assert_outcomes(passed=1)
    assert Path("atexit").exists()
    assert Path("thread").exists()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_outlives_a_killed_run(pytester: pytest.Pytester, way: str) -> None:
    pytester.makepyfile(
        test_it="""
        import os, pathlib, subprocess, sys, time

        def test_finished(energy): pass

        def test_waits(energy):
            pids = f"{os.getpid()} {os.getppid()}"
            stat = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text()
            pids += " " + stat.rpartition(") ")[2].split()[1]
            pathlib.Path("pids.new").write_text(pids)
            os.rename("pids.new", "pids")
            time.sleep(600)
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", f"--llem-isolation={way}"]
    with _started(command) as process:
        _until(Path("pids").exists)
        process.kill()
    pids = [int(pid) for pid in Path("pids").read_text().split()]
    ours = pids if way == "fork-server" else pids[:1]
    _until(lambda: not any(_lives(pid) for pid in ours))
    assert len(list(pytester.path.glob(".llem/runs/*/results/*.json"))) == 1


def test_a_killed_run_leaves_no_grandchild(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import os, pathlib, subprocess, sys, time

        def test_waits(energy):
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            pathlib.Path("pids.new").write_text(str(child.pid))
            os.rename("pids.new", "pids")
            time.sleep(600)
        """
    )
    with _started([sys.executable, "-m", "pytest", "-p", "no:randomly", FORKED]) as process:
        _until(Path("pids").exists)
        process.kill()
    _until(lambda: not _lives(int(Path("pids").read_text())))


def test_a_run_that_ends_leaves_no_server(run: Run) -> None:
    run(
        """
        import os, pathlib
        def test_it(energy): pathlib.Path("host").write_text(str(os.getppid()))
        """,
        FORKED,
    ).assert_outcomes(passed=1)
    assert not _lives(int(Path("host").read_text()))


@contextlib.contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return signal.SIGKILL is not None
