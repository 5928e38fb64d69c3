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
ALONE = MEASURING.replace('["a", "b"]', '["a"]')
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

LOOKING = """
import time
from pytest_llem.runs import conductor

collect = conductor.collect_environment

def noting(*arguments):
    with open("looked", "a") as file:
        file.write(f"{time.monotonic_ns()}\\n")
    return collect(*arguments)

conductor.collect_environment = noting
"""
UNDECIDED_AT_FIRST = """
from dataclasses import replace
from pytest_llem.runs.gatekeeper import Gatekeeper

settle, looks = Gatekeeper.settle, []

def undecided_at_first(self):
    looks.append(1)
    said = {"verdict": "inconclusive", "undecided": True}
    if len(looks) > 1:
        said = {"verdict": "regressed", "undecided": False}
    return {
        name: [replace(one, **said) for one in judgements]
        for name, judgements in settle(self).items()
    }

Gatekeeper.settle = undecided_at_first
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
    assert meanwhile < {Path("log.jsonl").stat().st_size, *meanwhile}


def test_repeats_are_told_apart_and_the_environment_is_looked_at_once_before_them_all(
    run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(LOOKING)
    run(MEASURING, "--llem-log=log.jsonl", "--llem-repeats=2").assert_outcomes(passed=2)
    found = lines()
    assert [line["process"] for line in of(found, "experiment_finished")] == [0, 0, 1, 1]
    (second,) = of(found, "round_started")
    assert (second["round"], second["experiments"]) == (1, 2)
    (looked_ns,) = map(int, Path("looked").read_text().split())
    assert looked_ns < min(line["monotonic_ns"] for line in of(found, "experiment_queued"))


def test_a_child_that_dies_is_a_line_with_its_signal(run: Run) -> None:
    source = "import os, signal\ndef test_it(energy): os.kill(os.getpid(), signal.SIGKILL)\n"
    run(source, "--llem-log=log.jsonl").assert_outcomes(failed=1)
    found = lines()
    (died,) = of(found, "child_died")
    assert died["status"] == -signal.SIGKILL
    (finished,) = of(found, "experiment_finished")
    assert finished["outcome"] == "crashed"
    assert "SIGKILL" in finished["message"]


def test_verdicts_and_the_processes_that_they_ask_for_are_lines(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(ALONE, "--llem-update-baselines", "--llem-log=log.jsonl").assert_outcomes(passed=1)
    pytester.makeconftest(UNDECIDED_AT_FIRST)
    gate = ("--llem-gate=duration_s:5%", "--llem-repeats=2", "--llem-max-repeats=3")
    run(ALONE, *gate, "--llem-log=log.jsonl").assert_outcomes(failed=1)
    found = lines()
    before, now = dict.fromkeys(line["run_id"] for line in found)
    assert len([line for line in found if line["run_id"] == before]) < len(found)
    (added,) = of(found, "repeats_added")
    assert (len(added["experiments"]), added["processes"], added["run_id"]) == (1, 3, now)
    (judged,) = of(found, "experiment_judged")
    assert judged["failed"]
    assert judged["verdicts"][0]["metric"] == "duration_s"
    assert judged["verdicts"][0]["verdict"] == "regressed"


def test_the_workers_of_a_run_share_a_log(run: Run) -> None:
    run(MEASURING, "--llem-log=log.jsonl", "-n2").assert_outcomes(passed=2)
    found = lines()
    (run_id,) = {line["run_id"] for line in found}
    assert len({line["pid"] for line in of(found, "run_started")}) == 2
    (finished,) = of(found, "run_finished")
    assert (finished["run_id"], finished["outcomes"]) == (run_id, {"passed": 2})


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
    result = run(ALONE, "--llem-log=/dev/full")
    result.assert_outcomes(passed=1)
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
