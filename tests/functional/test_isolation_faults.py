"""Everything an experiment may do to its process, its machine and its supervisor, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
import fcntl, os, pathlib, signal, sys, time

import pytest

MB = b"x" * (1 << 20)

def flood():
    for _ in range(100):
        os.write(1, MB)
    os.write(1, b"\\nthe very end\\n")

def test_floods_its_output_and_fails(energy):
    flood()
    assert False

def test_floods_past_the_capture_and_crashes(energy, capfd):
    with capfd.disabled():
        flood()
        time.sleep(0.6)
        print("said last", flush=True)
        os._exit(3)

def test_closes_every_descriptor(energy):
    os.closerange(3, 1024)
    time.sleep(60)

def raw(energy):
    return energy.link._channel._socket

def test_sends_garbage_and_passes(energy):
    for line in (b"no json", b"\\x00\\xff", b"[]", b'{"kind": "report"}', b"y" * 5_000_000,
                 b'{"kind": "report", "data": {"$report_type": "TestReport", "when": "call"}}',
                 b'{"kind": "warning", "data": {}}', b'{"kind": "await", "question": "x"}',
                 b'{"kind": "engine", "description": 3}', b'{"kind": "measured", "marks": {}}'):
        raw(energy).sendall(line + b"\\n")

def test_sends_half_a_message_and_dies(energy):
    raw(energy).sendall(b'{"kind": "report", "data": {"when"')
    os._exit(0)

def test_asks_and_never_reads(energy):
    for _ in range(2000):
        raw(energy).sendall(b'{"kind": "measured", "marks": {"nonsense": "' + b"z" * 1000 + b'"}}\\n')
    time.sleep(60)

def test_takes_all_memory(energy):
    kept = []
    for _ in range(40):
        kept.append(bytearray(os.urandom(1)) * (256 << 20))
        time.sleep(0.3)

def test_opens_too_many_files(energy):
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
    kept = []
    while True:
        kept.append(open("/dev/null"))

def test_leaves_processes_everywhere(energy):
    for _ in range(60):
        if not os.fork():
            os.setsid()
            if os.fork():
                os._exit(0)
            held = open("left", "a")
            fcntl.flock(held, fcntl.LOCK_SH)
            os.write(held.fileno(), b"x")
            time.sleep(600)
    while pathlib.Path("left").stat().st_size < 60:
        time.sleep(0.01)

def test_finds_none_of_them():
    left = open("left")
    deadline = time.monotonic() + 10
    while True:
        try:
            return fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            assert time.monotonic() < deadline

def test_blocks_every_signal_and_hangs(energy):
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(60)

def test_is_stopped(energy):
    os.kill(os.getpid(), signal.SIGSTOP)

def test_exits_as_if_all_were_well(energy):
    os._exit(0)

def test_says_what_no_file_can_hold(energy):
    raise ValueError("half a pair: \\ud800")

def test_is_well(energy):
    pass
"""
CONFTEST = """
import pathlib, resource

def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def pytest_collection_finish(session):
    session.config.peak_kib = peak_kib()

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        grown = peak_kib() - session.config.peak_kib
        files = len(list(pathlib.Path("/proc/self/fd").iterdir()))
        pathlib.Path("grown").write_text(f"{grown} {files}")
"""
FAULTS = {
    "floods_its_output_and_fails": ("failed", "assert False", "the very end"),
    "floods_past_the_capture_and_crashes": (
        "failed",
        "exited before finishing, with status 3 (during call)",
        "said last",
    ),
    "closes_every_descriptor": ("failed", "closed its channel but did not exit", ""),
    "sends_garbage_and_passes": ("passed", "", ""),
    "sends_half_a_message_and_dies": ("failed", "exited before finishing, with status 0", ""),
    "asks_and_never_reads": ("failed", "timed out", ""),
    "takes_all_memory": ("failed", "out of memory (", ""),
    "opens_too_many_files": ("failed", "Too many open files", ""),
    "leaves_processes_everywhere": ("passed", "", ""),
    "finds_none_of_them": ("passed", "", ""),
    "blocks_every_signal_and_hangs": ("failed", "timed out", ""),
    "is_stopped": ("failed", "timed out", ""),
    "exits_as_if_all_were_well": ("failed", "exited before finishing, with status 0", ""),
    "says_what_no_file_can_hold": ("failed", "half a pair", ""),
    "is_well": ("passed", "", ""),
}


class Run:
    """The one run of all faults, and what is left of it."""

    def __init__(self, path: Path, launcher: str, timeout_s: int = 6) -> None:
        self.path = path
        (path / "test_it.py").write_text(SOURCE)
        (path / "conftest.py").write_text(CONFTEST)
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--json-report"]
        options = [
            "--json-report-file=report.json",
            f"--llem-timeout={timeout_s}",
            "--junitxml=junit.xml",
        ]
        limits = ["--llem-memory-limit=1GiB", f"--llem-isolation={launcher}"]
        self.done = subprocess.run(
            [*command, *options, *limits], cwd=path, capture_output=True, text=True, check=False
        )
        report = json.loads((path / "report.json").read_text())
        self.tests: dict[str, Any] = {
            test["nodeid"].partition("::test_")[2]: test for test in report["tests"]
        }

    def results(self) -> dict[str, Any]:
        files = self.path.glob(".llem/runs/*/results/*.json")
        found = (json.loads(file.read_text()) for file in files)
        return {one["node_id"].partition("::test_")[2]: one for one in found}


def test_every_fault_is_its_own_tests_failure(launcher: str, tmp_path: Path) -> None:
    faults = Run(tmp_path, launcher)
    text = faults.done.stdout + faults.done.stderr
    assert "INTERNALERROR" not in text
    assert faults.done.returncode == pytest.ExitCode.TESTS_FAILED
    for name, (outcome, said, printed) in FAULTS.items():
        test = faults.tests[name]
        assert (name, test["outcome"]) == (name, outcome)
        assert said in json.dumps(test), (name, test)
        assert printed in text
    assert faults.tests.keys() == FAULTS.keys()
    every_fault_has_its_result(faults, launcher)
    floods_cost_the_supervisor_neither_memory_nor_disk(faults)


def every_fault_has_its_result(faults: Run, launcher: str) -> None:
    outcomes = {name: result["outcome"] for name, result in faults.results().items()}
    assert outcomes.keys() == FAULTS.keys() - {"finds_none_of_them"}
    assert outcomes["takes_all_memory"] == "crashed"
    assert outcomes["is_stopped"] == "timed_out"
    assert outcomes["is_well"] == "passed"
    assert {result["isolation"] for result in faults.results().values()} == {launcher}


def floods_cost_the_supervisor_neither_memory_nor_disk(faults: Run) -> None:
    grown_kib, files = map(int, (faults.path / "grown").read_text().split())
    assert grown_kib < 64 << 10
    assert files < 40
    assert len(faults.done.stdout) < 4 << 20
    assert sum(file.stat().st_size for file in faults.path.rglob("*") if file.is_file()) < 16 << 20
    assert "characters were cut" in faults.done.stdout
    assert "MB of output were cut" in faults.done.stdout


def test_a_memory_limit_that_is_no_size_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(energy): pass")
    result = pytester.runpytest_subprocess("--llem-memory-limit=lots")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'lots' is no size*"])


def test_a_supervisor_without_descriptors_left_says_so(
    pytester: pytest.Pytester, launcher: str
) -> None:
    pytester.makepyfile(
        """
        import resource

        def test_takes_them():
            global kept
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            kept = []
            try:
                while True:
                    kept.append(open("/dev/null"))
            except OSError:
                del kept[-2:]

        def test_cannot_start(energy): pass

        def test_gives_them_back():
            kept.clear()

        def test_can_start(energy): pass
        """
    )
    result = pytester.runpytest_subprocess(
        *("-p", "no:randomly", "-p", "no:cacheprovider"), f"--llem-isolation={launcher}"
    )
    text = result.stdout.str()
    assert "INTERNALERROR" not in text
    assert "test_cannot_start" in text
    result.assert_outcomes(passed=3, errors=1)


def test_more_than_a_thousand_open_files_are_no_trouble(
    pytester: pytest.Pytester, launcher: str
) -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 2000:
        pytest.skip("needs the right to open 2000 files")
    pytester.makepyfile(
        f"""
        import resource

        def test_opens_them():
            global kept
            resource.setrlimit(resource.RLIMIT_NOFILE, (2000, {most}))
            kept = [open("/dev/null") for _ in range(1200)]

        def test_is_well(energy): pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", f"--llem-isolation={launcher}")
    result.assert_outcomes(passed=2)
