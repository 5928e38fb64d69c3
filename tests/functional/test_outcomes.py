"""What becomes of an experiment in its own process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, object]]]


@pytest.fixture(params=["spawn", "fork-server"])
def isolation(request: pytest.FixtureRequest) -> str:
    """Each test holds for both, since it must not matter how a process was started."""
    how: str = request.param
    return how


def test_each_experiment_runs_in_a_process_of_its_own(run: Run, isolation: str) -> None:
    result = run(
        """
        import os

        def test_one(energy):
            with open("pids", "a") as file:
                file.write(f"{os.getpid()} {os.getppid()}\\n")

        test_two = test_one

        def test_plain():
            with open("pids", "a") as file:
                file.write(f"{os.getpid()} {os.getppid()}\\n")
        """
    )
    result.assert_outcomes(passed=3)
    (one, parent_one), (two, parent_two), (plain, _) = (
        line.split() for line in Path("pids").read_text().splitlines()
    )
    assert len({one, two, plain}) == 3
    assert parent_one == parent_two
    assert (parent_one == plain) == (isolation == "spawn")


def test_a_result_that_was_damaged_meanwhile_is_told_of_once(run: Run) -> None:
    result = run(
        """
        from pathlib import Path

        def test_it(energy): pass

        def test_damages_it():
            (file,) = Path().glob(".llem/runs/*/results/*.json")
            file.write_text("{")
        """,
        "--llem-update-baselines",
    )
    result.assert_outcomes(passed=2)
    assert sum("is corrupt" in line for line in result.outlines) == 1


def test_outcomes_are_those_of_a_plain_run(run: Run, stored: Stored) -> None:
    result = run(
        """
        import pytest

        @pytest.fixture
        def broken():
            raise RuntimeError("broken fixture")

        @pytest.fixture
        def fragile():
            yield
            raise RuntimeError("broken teardown")

        def test_passes(energy): pass
        def test_fails(energy): assert 1 == 2
        def test_skips(energy): pytest.skip("not today")
        @pytest.mark.xfail(reason="known")
        def test_xfails(energy): assert False
        @pytest.mark.xfail(strict=False)
        def test_xpasses(energy): pass
        def test_setup_fails(energy, broken): pass
        def test_teardown_fails(energy, fragile): pass
        """,
        "-rA",
    )
    result.assert_outcomes(passed=2, failed=1, skipped=1, xfailed=1, xpassed=1, errors=2)
    result.stdout.fnmatch_lines(
        ["*assert 1 == 2*", "*SKIPPED*not today*", "*XFAIL*known*", "*ERROR*test_setup_fails*"]
    )
    by_name = {str(r["node_id"]).split("::")[1]: r["outcome"] for r in stored()}
    assert by_name["test_passes"] == "passed"
    assert by_name["test_fails"] == "failed"
    assert by_name["test_skips"] == "skipped"
    assert by_name["test_setup_fails"] == "error"
    assert by_name["test_teardown_fails"] == "error"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV (during call)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (during call)"),
        ("os.abort()", "killed by SIGABRT (during call)"),
        ("os._exit(0)", "exited before finishing, with status 0 (during call)"),
        ("os._exit(7)", "exited before finishing, with status 7 (during call)"),
    ],
)
def test_a_crash_fails_its_test_and_no_other(run: Run, body: str, said: str) -> None:
    result = run(
        f"""
        import os, signal

        def test_crashes(energy): {body}
        def test_after(energy): pass
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    assert said in result.stdout.str()


def test_a_crash_shows_what_the_child_printed_last(run: Run) -> None:
    result = run(
        """
        import ctypes

        def test_crashes(energy): ctypes.string_at(0)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Output of the child process*", "*Segmentation fault*"])


def test_a_crash_in_setup_is_an_error(run: Run) -> None:
    result = run(
        """
        import os, pytest

        @pytest.fixture
        def fatal(): os._exit(3)

        def test_never_called(energy, fatal): pass
        """
    )
    result.assert_outcomes(errors=1)
    assert "(during setup)" in result.stdout.str()


def test_a_crash_in_teardown_keeps_the_call_result(run: Run) -> None:
    result = run(
        """
        import os, pytest

        @pytest.fixture
        def fatal():
            yield
            os.abort()

        def test_called(energy, fatal): pass
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "killed by SIGABRT (during teardown)" in result.stdout.str()


def test_a_hang_is_ended_at_the_deadline_and_says_where_it_was(
    run: Run, stored: Stored, pytester: pytest.Pytester
) -> None:
    result = run(
        """
        import threading, time

        def waits_in_vain(): time.sleep(600)
        def waits_as_well(): time.sleep(600)

        def test_hangs(energy):
            threading.Thread(target=waits_as_well, daemon=True).start()
            waits_in_vain()

        def test_after(energy): pass
        """,
        "--llem-timeout=2",
    )
    result.assert_outcomes(passed=1, failed=1)
    said = result.stdout.str()
    assert "timed out: the experiment took longer than 2 s" in said
    assert "Output of the child process, and where its threads were" in said
    assert "in waits_in_vain" in said
    assert "in waits_as_well" in said
    assert not list(pytester.path.glob("core*"))
    assert sorted(str(r["outcome"]) for r in stored()) == ["passed", "timed_out"]


def test_a_hang_that_ignores_signals_is_ended_too(run: Run) -> None:
    result = run(
        """
        import signal, time

        def test_hangs(energy):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            while True:
                time.sleep(1)
        """,
        "--llem-timeout=2",
    )
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize("session", ["False", "True"], ids=["same-session", "own-session"])
def test_a_grandchild_does_not_outlive_its_experiment(run: Run, session: str) -> None:
    result = run(
        f"""
        import os, subprocess, sys, time, pathlib

        def test_leaves_one_behind(energy):
            child = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session={session}
            )
            pathlib.Path("grandchild").write_text(str(child.pid))

        def test_looks_for_it():
            pid = int(pathlib.Path("grandchild").read_text())
            for _ in range(100):
                try:
                    state = pathlib.Path(f"/proc/{{pid}}/stat").read_text().split()[2]
                except FileNotFoundError:
                    return
                if state == "Z":
                    return
                time.sleep(0.1)
            raise AssertionError("it lives")
        """
    )
    result.assert_outcomes(passed=2)


def test_parameters_with_slashes_and_colons_reach_the_right_item(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("text", ["a/b", "c::d", "e[f]", "", "ü"])
        def test_text(energy, text):
            print("text is", text)
            assert text != "c::d"
        """
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*text is c::d*"])


def test_captured_output_and_properties_come_back(run: Run) -> None:
    result = run(
        """
        import logging, sys, warnings

        def test_says(energy, record_property, capsys):
            record_property("colour", "blue")
            print("captured by capsys")
            assert capsys.readouterr().out == "captured by capsys\\n"
            print("to stdout"); print("to stderr", file=sys.stderr)
            logging.getLogger().warning("to the log")
            warnings.warn("mind the gap")
            assert False
        """,
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(failed=1, warnings=1)
    result.stdout.fnmatch_lines(
        ["*stdout call*", "to stdout", "*stderr call*", "to stderr", "*log call*", "*to the log*"]
    )
    assert "mind the gap" in result.stdout.str()
    xml = Path("junit.xml").read_text()
    assert 'name="colour" value="blue"' in xml


def test_nothing_is_captured_under_s(run: Run) -> None:
    result = run("def test_says(energy): print('straight through')", "-s")
    result.assert_outcomes(passed=1)
    assert "straight through" in result.stdout.str()


def test_tmp_path_lies_below_the_runs_base(run: Run, pytester: pytest.Pytester) -> None:
    result = run(
        """
        def test_one(energy, tmp_path): (tmp_path / "one").touch()
        def test_two(energy, tmp_path): (tmp_path / "two").touch()
        def test_plain(tmp_path): (tmp_path / "plain").touch()
        """,
        f"--basetemp={pytester.path / 'base'}",
    )
    result.assert_outcomes(passed=3)
    found = {path.name for path in (pytester.path / "base").rglob("*") if path.is_file()}
    assert {"one", "two", "plain"} <= found


def test_it_stops_at_the_first_failure_under_x(run: Run) -> None:
    result = run(
        """
        def test_one(energy): pass
        def test_two(energy): assert False
        def test_three(energy): pass
        """,
        "-x",
    )
    result.assert_outcomes(passed=1, failed=1)


def test_maxfail_counts_over_processes(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_fails(energy, n): assert False
        """,
        "--maxfail=2",
    )
    result.assert_outcomes(failed=2)


def test_last_failed_runs_only_what_failed(run: Run, pytester: pytest.Pytester) -> None:
    source = """
        def test_one(energy): pass
        def test_two(energy): assert False
        """
    run(source).assert_outcomes(passed=1, failed=1)
    again = pytester.runpytest_subprocess("-p", "no:randomly", "--lf")
    again.assert_outcomes(failed=1)


def test_plain_and_isolated_tests_may_take_turns(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.fixture(scope="module")
        def shared(): yield

        def test_one(shared): pass
        def test_two(energy): pass
        def test_three(shared): pass
        class TestClass:
            def test_four(self, energy): pass
            def test_five(self, shared): pass
        """
    )
    result.assert_outcomes(passed=5)


def test_workers_of_xdist_run_experiments(run: Run, stored: Stored) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(energy, n): assert n != 2
        """,
        "-n2",
    )
    result.assert_outcomes(passed=3, failed=1)
    assert len(stored()) == 4
    assert len({str(r["run_id"]) for r in stored()}) == 1


def test_json_report_is_written_once_by_the_parent(run: Run, pytester: pytest.Pytester) -> None:
    import json

    result = run(
        """
        def test_one(energy, record_property): record_property("colour", "blue")
        def test_two(energy): assert False
        """,
        "--json-report",
        "--json-report-file=report.json",
        "--report-log=log.jsonl",
    )
    result.assert_outcomes(passed=1, failed=1)
    report = json.loads((pytester.path / "report.json").read_text())
    assert [test["outcome"] for test in report["tests"]] == ["passed", "failed"]
    log = [json.loads(line) for line in (pytester.path / "log.jsonl").read_text().splitlines()]
    assert sum(entry.get("when") == "call" for entry in log) == 2


def test_options_of_addopts_do_not_trouble_the_child(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naddopts = -q --tb=short --durations=3 --strict-markers")
    run("def test_it(energy): pass").assert_outcomes(passed=1)


def test_a_marker_expression_selects_in_the_parent_only(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.llem(batch_size=2)
        def test_marked(energy): assert energy.config.batch_size == 2
        def test_unmarked(energy): pass
        """,
        "-m",
        "llem",
    )
    result.assert_outcomes(passed=1, deselected=1)


def test_pytest_exit_in_an_experiment_ends_the_run(run: Run) -> None:
    result = run(
        """
        import pytest

        def test_exits(energy): pytest.exit("enough", returncode=5)
        def test_never(energy): pass
        """
    )
    assert result.ret == 5
    assert "enough" in result.stdout.str()
    assert "test_never" not in result.stdout.str()


def test_the_debugger_gets_the_terminal(pytester: pytest.Pytester) -> None:
    pytest.importorskip("pexpect")
    pytester.makepyfile(test_it="def test_fails(energy):\n    answer = 41\n    assert answer == 42")
    child = pytester.spawn_pytest("--pdb -p no:randomly")
    child.expect(r"\(Pdb\)")
    child.sendline("p answer + 1000")
    child.expect("1041")
    child.sendline("q")
    child.expect("1 failed")
    child.wait()


def test_a_test_without_our_fixtures_stays_in_the_parent(run: Run) -> None:
    result = run(
        """
        import os

        def test_plain(): assert os.environ.get("LLEM_EXPERIMENT") is None
        def test_experiment(energy): assert os.environ.get("LLEM_EXPERIMENT")
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("isolation", [None])
def test_no_isolation_runs_in_the_parent(run: Run, stored: Stored) -> None:
    result = run(
        """
        import os

        def test_here(energy): assert os.environ.get("LLEM_EXPERIMENT") is None
        def test_fails(energy): assert 0
        """,
        "--llem-isolation=none",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert sorted(str(r["outcome"]) for r in stored()) == ["failed", "passed"]


@pytest.mark.parametrize("isolation", [None])
def test_the_plugin_can_be_switched_off(run: Run) -> None:
    result = run("def test_it(energy): pass", "-p", "no:llem")
    result.assert_outcomes(errors=1)
    assert "fixture 'energy' not found" in result.stdout.str()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_ends_the_run_and_its_children(pytester: pytest.Pytester, isolation: str) -> None:
    import os
    import signal
    import subprocess
    import time

    pytester.makepyfile(
        test_it="""
        import os, pathlib, time

        def test_waits(energy):
            pathlib.Path("child").write_text(str(os.getpid()))
            time.sleep(600)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:randomly", f"--llem-isolation={isolation}"]
    )
    marker = Path("child")
    for _ in range(300):
        if marker.exists() and marker.read_text():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == pytest.ExitCode.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
