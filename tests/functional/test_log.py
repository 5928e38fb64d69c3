"""``--llem-log``: what a night's run left behind, line by line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pytest_llem.results.event_log import read_events

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "log.v1.schema.json").read_text())
QUICK = '{"windows": 2, "window_s": 0.05, "warmup_min_s": 0, "warmup_max_s": 0.1, "idle_s": 0}'
MEASURING = f"""
import pytest

@pytest.mark.llem(measurement={QUICK})
@pytest.mark.parametrize("name", ["a", "b"])
def test_it(energy, name):
    energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
"""
WATCHING = f"""
import os, time, pytest

sizes = []

def load():
    sizes.append((time.monotonic_ns(), os.stat("log.jsonl").st_size))

@pytest.mark.llem(measurement={QUICK})
def test_it(energy):
    energy.measure(load, work={{"output_tokens": 5}})
    open("sizes", "w").write(repr(sizes))
"""


def lines(path: str = "log.jsonl") -> list[dict[str, Any]]:
    """The log's lines, each of which has to be as the schema says."""
    found = [json.loads(line) for line in Path(path).read_text().splitlines()]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in found:
        validator.validate(line)
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in found]


def of(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in found if line["event"] == kind]


def test_every_transition_of_an_experiment_is_a_line_in_order(run: Run) -> None:
    run(MEASURING, "--llem-log=log.jsonl").assert_outcomes(passed=2)
    found = lines()
    first, *_, last = (line for line in found if line["event"].startswith("run_"))
    assert (found[0], found[-1]) == (first, last)
    assert last["outcomes"] == {"passed": 2}
    assert len({line["run_id"] for line in found}) == 1
    (collected,) = of(found, "collected")
    for experiment in collected["experiments"]:
        own = [line for line in found if line.get("experiment_id") == experiment]
        assert kinds(own) == [
            "experiment_queued",
            "experiment_leased",
            "experiment_started",
            "warm_up_started",
            "warmed_up",
            "window_started",
            "window_started",
            "measured",
            "experiment_finished",
        ]
        stamps = [line["monotonic_ns"] for line in own]
        assert stamps == sorted(stamps)
        assert [line["index"] for line in of(own, "window_started")] == [0, 1]
        (measured,) = of(own, "measured")
        assert measured["energy_j"] > 0
        assert (measured["windows"], measured["problem"]) == (2, None)
        (finished,) = of(own, "experiment_finished")
        assert list(Path(".llem/runs").glob(f"*/results/{finished['result']}.json"))


def test_nothing_is_written_between_the_first_window_and_the_figures(run: Run) -> None:
    run(WATCHING, "--llem-log=log.jsonl").assert_outcomes(passed=1)
    found = lines()
    begin_ns = of(found, "window_started")[0]["monotonic_ns"]
    end_ns = of(found, "measured")[0]["monotonic_ns"]
    sizes = json.loads(Path("sizes").read_text().replace("(", "[").replace(")", "]"))
    meanwhile = {size for time_ns, size in sizes if begin_ns < time_ns < end_ns}
    assert len(meanwhile) == 1
    assert meanwhile < {os.stat("log.jsonl").st_size, *meanwhile}


def test_the_environment_is_looked_at_once_and_before_any_measurement(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest("""
        import time
        from pytest_llem.runs import conductor

        collect = conductor.collect_environment

        def noting(*arguments):
            with open("looked", "a") as file:
                file.write(f"{time.monotonic_ns()}\\n")
            return collect(*arguments)

        conductor.collect_environment = noting
    """)
    run(MEASURING, "--llem-log=log.jsonl", "--llem-repeats=2").assert_outcomes(passed=2)
    (looked_ns,) = map(int, Path("looked").read_text().split())
    queued = of(lines(), "experiment_queued")
    assert len(queued) == 4
    assert looked_ns < min(line["monotonic_ns"] for line in queued)


def test_rounds_and_processes_are_told_apart(run: Run) -> None:
    run(MEASURING, "--llem-log=log.jsonl", "--llem-repeats=2").assert_outcomes(passed=2)
    found = lines()
    assert [line["process"] for line in of(found, "experiment_finished")] == [0, 0, 1, 1]
    (second,) = of(found, "round_started")
    assert (second["round"], second["experiments"]) == (1, 2)


def test_a_child_that_dies_is_a_line_with_its_signal(run: Run) -> None:
    source = "import os, signal\ndef test_it(energy): os.kill(os.getpid(), signal.SIGKILL)\n"
    run(source, "--llem-log=log.jsonl").assert_outcomes(failed=1)
    found = lines()
    (died,) = of(found, "child_died")
    assert died["status"] == -signal.SIGKILL
    (finished,) = of(found, "experiment_finished")
    assert finished["outcome"] == "crashed"
    assert "SIGKILL" in finished["message"]


def test_verdicts_are_lines(run: Run) -> None:
    run(MEASURING, "--llem-update-baselines").assert_outcomes(passed=2)
    gate = "--llem-gate=energy_per_output_token_j:5%"
    run(MEASURING, gate, "--llem-log=log.jsonl")
    judged = of(lines(), "experiment_judged")
    assert len(judged) == 2
    for line in judged:
        (verdict,) = line["verdicts"]
        assert verdict["metric"] == "energy_per_output_token_j"
        assert line["failed"] == (verdict["verdict"] == "regressed")


def test_processes_that_are_added_for_undecided_gates_are_a_line(run: Run) -> None:
    run(MEASURING, "--llem-update-baselines").assert_outcomes(passed=2)
    run(
        MEASURING,
        "--llem-gate=energy_per_output_token_j:0.0001%",
        "--llem-max-repeats=3",
        "--llem-repeats=2",
        "--llem-log=log.jsonl",
    )
    added = of(lines(), "repeats_added")
    assert [line["processes"] for line in added] == [3]


def test_two_runs_and_two_workers_share_a_log(run: Run) -> None:
    run(MEASURING, "--llem-log=log.jsonl", "-n2").assert_outcomes(passed=2)
    run(MEASURING, "--llem-log=log.jsonl").assert_outcomes(passed=2)
    found = lines()
    assert len({line["run_id"] for line in found}) == 2
    assert len(of(found, "run_finished")) == 2
    assert len(of(found, "experiment_finished")) == 4


@pytest.mark.parametrize("path", ["nowhere/log.jsonl", ".", "pipe"])
def test_a_path_that_cannot_be_written_is_an_error_before_anything_runs(
    run: Run, pytester: pytest.Pytester, path: str
) -> None:
    os.mkfifo(pytester.path / "pipe")
    result = run(MEASURING, f"--llem-log={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --llem-log=*{Path(path).name}* cannot be written: *"])
    assert not Path(".llem").exists()


def test_a_run_without_experiments_minds_its_log_too(run: Run) -> None:
    result = run("def test_it(): pass\n", "--llem-log=nowhere/log.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_full_disk_ends_the_log_and_not_the_run(run: Run) -> None:
    result = run(MEASURING, "--llem-log=/dev/full")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*the log /dev/full ends here: No space left on device*"])


def test_a_killed_run_leaves_whole_lines_up_to_the_last(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it="import time\ndef test_it(energy): time.sleep(600)\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--llem-log=log.jsonl"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    log = pytester.path / "log.jsonl"
    while not (log.exists() and b"experiment_started" in log.read_bytes()):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert kinds(lines())[-1] == "experiment_started"
    assert [event.event for event in read_events(log)] == kinds(lines())


def test_an_interrupted_run_says_so(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it="import time\ndef test_it(energy): time.sleep(600)\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--llem-log=log.jsonl"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    log = pytester.path / "log.jsonl"
    while not (log.exists() and b"experiment_started" in log.read_bytes()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait()
    assert "experiment_interrupted" in kinds(lines())
