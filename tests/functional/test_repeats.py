"""Several processes per experiment: interleaved, reported as one test, judged once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.runs.order import ordered

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, object]]]

QUICK = '{"windows": 2, "window_s": 0.05, "warmup_min_s": 0, "warmup_max_s": 0.1}'
NOTED = """
import pathlib, pytest

def note(name):
    with open("order", "a") as file:
        file.write(name + "\\n")
    return pathlib.Path("order").read_text().split().count(name)

@pytest.mark.parametrize("name", ["a", "b"])
def test_it(energy, name):
    note(name)

def test_plain():
    note("plain")
"""
MEASURING = f"""
import pytest

@pytest.mark.llem(measurement={QUICK})
@pytest.mark.parametrize("name", ["a", "b"])
def test_it(energy, name):
    energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
"""


def order() -> list[str]:
    return Path("order").read_text().split()


def test_experiments_take_turns_and_are_one_test_each(run: Run, stored: Stored) -> None:
    result = run(NOTED, "--llem-repeats=3", "-v")
    result.assert_outcomes(passed=3)
    assert order() == ["a", "b", "plain", "a", "b", "a", "b"]
    result.stdout.fnmatch_lines(["*3 processes each, interleaved*"])
    result.stdout.fnmatch_lines(["*test_it.py::test_it[[]a[]], process 1 of 3: passed*"])
    repeats = Counter((one["label"], one["repeat"]) for one in stored())
    assert repeats == Counter((name, repeat) for name in "ab" for repeat in range(3))
    (manifest,) = Path().glob(".llem/runs/*/manifest.json")
    content = json.loads(manifest.read_text())
    assert (content["repeats"], content["shuffle_seed"]) == (3, None)
    assert len(content["planned"]) == 2
    assert content["counts"] == {"passed": 6}


def test_a_seed_decides_the_order_of_every_round(run: Run) -> None:
    source = NOTED.replace('["a", "b"]', "list('abcde')")
    run(source, "--llem-repeats=2", "--llem-shuffle=7").assert_outcomes(passed=6)
    once = order()
    assert once[5] == "plain"
    assert once[:5] == ordered("abcde", 7, 0)
    assert once[6:] == ordered(once[:5], 7, 1)
    assert once[:5] != once[6:]


@given(things=st.lists(st.integers()), seed=st.integers(0), number=st.integers(0, 9))
def test_a_shuffled_round_has_everything_once_and_can_be_had_again(
    things: list[int], seed: int, number: int
) -> None:
    found = ordered(things, seed, number)
    assert Counter(found) == Counter(things)
    assert ordered(things, seed, number) == found
    assert ordered(things, None, number) == things


def test_a_seed_that_is_drawn_is_shown_and_stored(run: Run, pytester: pytest.Pytester) -> None:
    result = run(NOTED, "--llem-shuffle")
    result.assert_outcomes(passed=3)
    (line,) = [line for line in result.outlines if "--llem-shuffle=" in line]
    (manifest,) = pytester.path.glob(".llem/runs/*/manifest.json")
    seed = json.loads(manifest.read_text())["shuffle_seed"]
    assert line.endswith(f"--llem-shuffle={seed}")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--llem-repeats=0"], "--llem-repeats=0: a number of processes, 1 or more"),
        (["--llem-shuffle", "test_it.py"], "'test_it.py' is no seed"),
        (["--llem-repeats=2", "--llem-isolation=none"], "is about fresh processes"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, option: list[str], said: str) -> None:
    result = run(NOTED, *option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert said in text
    assert "Traceback" not in text
    assert not Path("order").exists()


BREAKS = NOTED.replace(
    "    note(name)\n", '    assert not (note(name) == 2 and name == "b"), "b broke"\n', 1
)


def test_a_failure_in_one_process_fails_the_experiment_and_keeps_the_others(
    run: Run, stored: Stored
) -> None:
    result = run(BREAKS, "--llem-repeats=3", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*b broke*", "*process 2 of 3*"])
    assert order() == ["a", "b", "plain", "a", "b", "a", "b"]
    outcomes = {one["repeat"]: one["outcome"] for one in stored() if one["label"] == "b"}
    assert outcomes == {0: "passed", 1: "failed", 2: "passed"}
    cases = ET.parse("junit.xml").getroot().iter("testcase")  # noqa: S314 - our own file
    assert Counter(case.get("name") for case in cases) == Counter(
        ["test_it[a]", "test_it[b]", "test_plain"]
    )


def test_only_what_failed_runs_again_under_last_failed(run: Run, pytester: pytest.Pytester) -> None:
    run(BREAKS, "--llem-repeats=2").assert_outcomes(passed=2, failed=1)
    Path("order").unlink()
    again = pytester.runpytest_subprocess("-p", "no:randomly", "--lf", "--llem-repeats=2")
    again.assert_outcomes(failed=1)
    assert order() == ["b", "b"]


def test_the_first_failure_stops_the_rounds(run: Run, stored: Stored) -> None:
    result = run(BREAKS, "--llem-repeats=3", "-x")
    result.assert_outcomes(passed=2, failed=1)
    assert order() == ["a", "b", "plain", "a", "b"]
    assert len(stored()) == 4
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])


def test_what_is_skipped_is_not_tried_again(run: Run, stored: Stored) -> None:
    source = NOTED.replace("    note(name)\n", "    note(name)\n    pytest.skip('no')\n", 1)
    run(source, "--llem-repeats=3").assert_outcomes(passed=1, skipped=2)
    assert order() == ["a", "b", "plain"]


def test_workers_interleave_what_is_theirs(run: Run, stored: Stored) -> None:
    result = run(BREAKS, "--llem-repeats=2", "-n2", "--llem-shuffle=3", "--junitxml=junit.xml")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*2 processes each, interleaved, shuffled by --llem-shuffle=3*"])
    assert Counter(order()) == Counter(["a", "b"] * 2 + ["plain"])
    assert len({str(one["run_id"]) for one in stored()}) == 1
    cases = list(ET.parse("junit.xml").getroot().iter("testcase"))  # noqa: S314 - as above
    assert len(cases) == 3


def test_a_dry_run_counts_processes(run: Run) -> None:
    result = run(NOTED, "--llem-repeats=3", "--llem-dry-run")
    result.stdout.fnmatch_lines(["dry run: 2 points in 1 group, 3 processes each: 6 in all;*"])


def test_a_row_is_the_mean_of_its_processes_and_a_baseline_holds_them_all(
    run: Run, stored: Stored, pytester: pytest.Pytester
) -> None:
    options = ("--llem-repeats=3", "--junitxml=junit.xml", "--llem-update-baselines")
    result = run(MEASURING, *options)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["  a *~*", "  b *~*", "2 experiments, 3 processes each (*"])
    assert "process 1" not in result.stdout.str()
    energies = [
        measured["energy_j"]
        for one in stored()
        if one["label"] == "a"
        for measured in one["measurements"]  # type: ignore[attr-defined]
    ]
    assert len(energies) == 3
    (case, _) = ET.parse("junit.xml").getroot().iter("testcase")  # noqa: S314 - as above
    found = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert float(found["llem.energy_j"] or 0) == pytest.approx(sum(energies) / 3)
    assert found["llem.processes"] == "3"
    (file,) = pytester.path.glob("baselines/**/*.json")
    for entry in json.loads(file.read_text())["entries"].values():
        (session,) = entry["sessions"]
        (processes,) = session["measurements"].values()
        assert [process["repeat"] for process in processes] == [0, 1, 2]
    gate = "--llem-gate=energy_per_output_token_j:900%"
    result = run(MEASURING, "--llem-repeats=2", gate, "-v")
    result.assert_outcomes(passed=2)
    assert sum("process 2 " in line and "~" in line for line in result.outlines) == 2
    assert "2 processes against 3" in " ".join(result.stdout.str().split())


def test_an_experiment_with_a_failed_process_becomes_no_baseline(
    run: Run, pytester: pytest.Pytester
) -> None:
    source = (
        MEASURING
        + "    import pathlib\n    p = pathlib.Path(name)\n    assert not p.exists() or name == 'a'\n    p.touch()\n"
    )
    result = run(source, "--llem-repeats=2", "--llem-update-baselines")
    result.assert_outcomes(passed=1, failed=1)
    (file,) = pytester.path.glob("baselines/**/*.json")
    (entry,) = json.loads(file.read_text())["entries"].values()
    assert entry["label"] == "a"
    assert "process 1: it failed" in " ".join(result.stdout.str().split())


def test_an_interrupted_run_keeps_and_reports_the_processes_that_ended(
    run: Run, stored: Stored, pytester: pytest.Pytester
) -> None:
    source = MEASURING + (
        "    import pathlib\n"
        "    p = pathlib.Path(name)\n"
        "    if p.exists(): raise KeyboardInterrupt\n"
        "    p.touch()\n"
    )
    result = run(source, "--llem-repeats=3", "--llem-update-baselines")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "2 passed" in result.stdout.str()
    result.stdout.fnmatch_lines(["*b (1 of 3 processes)*"])
    assert [one["outcome"] for one in stored()] == ["passed", "passed"]
    assert not list(pytester.path.glob("baselines/**/*.json"))
    assert "1 of 3 processes ran" in result.stdout.str()


FAMILY = """
from dataclasses import replace
from pytest_llem.runs.gatekeeper import Gatekeeper

judge, settle = Gatekeeper.judge, Gatekeeper.settle

def undecided(self, names):
    return {
        name: [replace(one, verdict="inconclusive", final=False) for one in judgements]
        for name, judgements in judge(self, names).items()
    }

def decided(self):
    return {
        name: [replace(one, verdict="regressed") for one in judgements]
        for name, judgements in settle(self).items()
    }

Gatekeeper.judge, Gatekeeper.settle = undecided, decided
"""


@pytest.mark.parametrize("repeats", [1, 2])
def test_what_waits_for_its_family_is_released_with_the_familys_verdict(
    run: Run, pytester: pytest.Pytester, repeats: int
) -> None:
    pytester.makeconftest(FAMILY)
    result = run(MEASURING, f"--llem-repeats={repeats}", "--llem-gate=duration_s:5%")
    result.assert_outcomes(failed=2)
    assert "energy gate not passed" in result.stdout.str()


LOOKS = """
from dataclasses import replace
from pytest_llem.runs.gatekeeper import Gatekeeper

settle = Gatekeeper.settle

def by_count(self):
    return {
        name: [told(self._taken[name], one) for one in judgements]
        for name, judgements in settle(self).items()
    }

def told(results, judgement):
    needed = NEEDED[results[0].label]
    if len(results) < needed:
        return replace(judgement, verdict="inconclusive", undecided=True)
    return replace(judgement, verdict="regressed" if needed == 3 else "pass", undecided=False)

NEEDED = {"a": 2, "b": 3}
Gatekeeper.settle = by_count
"""


def test_processes_are_added_until_the_gate_is_decided(
    run: Run, stored: Stored, pytester: pytest.Pytester
) -> None:
    run(MEASURING, "--llem-repeats=2", "--llem-update-baselines").assert_outcomes(passed=2)
    pytester.makeconftest(LOOKS)
    gate = "--llem-gate=duration_s:5%"
    result = run(MEASURING, "--llem-repeats=2", "--llem-max-repeats=5", gate)
    result.assert_outcomes(passed=1, failed=1)
    latest = max(str(one["run_id"]) for one in stored())
    ran = Counter(one["label"] for one in stored() if one["run_id"] == latest)
    assert ran == {"a": 2, "b": 3}
    result.stdout.fnmatch_lines(
        [
            "llem: up to 5 processes each, as their gates need them",
            "*b (3 processes)*",
            "llem: 5 processes for 2 experiments, 5 fewer than 5 each*",
        ]
    )


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_a_clear_pass_has_no_more_processes_than_the_first_look(
    run: Run, workers: tuple[str, ...]
) -> None:
    run(MEASURING, "--llem-repeats=2", "--llem-update-baselines").assert_outcomes(passed=2)
    gate = "--llem-gate=energy_per_output_token_j:900%"
    result = run(MEASURING, "--llem-repeats=2", "--llem-max-repeats=4", gate, *workers)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["llem: 4 processes for 2 experiments, 4 fewer than 4 each*"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--llem-max-repeats=3"], "Add a --llem-gate"),
        (["--llem-max-repeats=2", "--llem-repeats=3"], "is less than --llem-repeats=3"),
        (["--llem-max-repeats=2", "--llem-gate=energy_j:5%", "--llem-isolation=none"], "none"),
        (
            ["--llem-max-repeats=2", "--llem-gate=energy_j:5%", "--llem-update-baselines"],
            "needs a verdict",
        ),
    ],
)
def test_looks_without_anything_to_see_are_refused(run: Run, options: list[str], said: str) -> None:
    result = run(NOTED, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stdout.str() + result.stderr.str()
    assert not Path("order").exists()


def test_a_study_says_how_often_and_in_which_order(
    pytester: pytest.Pytester, stored: Stored
) -> None:
    (pytester.path / "it.llem.yaml").write_text(
        f"base: {{output_tokens: 2, measurement: {QUICK}}}\n"
        "sweep:\n  batch_size: [1, 2, 3]\nrepeats: 2\norder: {shuffle: 3}\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-v", "it.llem.yaml")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*round 1 of 2 is done*"])
    ran = sorted(stored(), key=lambda one: str(one["started_at"]))
    assert sorted((one["label"], one["repeat"]) for one in ran) == sorted(
        (label, repeat) for label in "123" for repeat in (0, 1)
    )
    rounds = ["".join(str(one["label"]) for one in ran[at : at + 3]) for at in (0, 3)]
    assert rounds == ["".join(ordered("123", 3, number)) for number in (0, 1)]
    again = pytester.runpytest_subprocess("-p", "no:randomly", "--llem-repeats=1", "it.llem.yaml")
    again.assert_outcomes(passed=3)
    assert len(stored()) == len(ran) + 3
