"""``llem ab`` and ``llem aa``, as a person uses them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Llem = Callable[..., subprocess.CompletedProcess[str]]

NAPS = """
import os, time

def test_nap(energy):
    energy.measure(lambda: time.sleep({nap}))
"""
QUICK = " ".join(
    [
        *("--llem-set=measurement.windows=3", "--llem-set=measurement.window_s=0.06"),
        *("--llem-set=measurement.warmup_min_s=0.02", "--llem-set=measurement.warmup_max_s=0.2"),
        *("--llem-meter=estimate", "--llem-allow-shared", "-p", "no:randomly"),
    ]
)
GATE = ("--gate", "duration_s:10%")


@pytest.fixture
def llem(pytester: pytest.Pytester) -> Llem:
    """Run ``llem`` in a folder of its own, with quick measurements."""

    def llem(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_llem", command, *arguments, "--pytest", QUICK],
            cwd=pytester.path,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in done.stderr
        return done

    return llem


@pytest.fixture
def naps(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=NAPS.format(nap='float(os.environ.get("NAP", "0.02"))'))


def git(*arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def judged(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("naps")
def test_what_got_slower_fails_without_any_baseline_and_takes_no_more_rounds_than_that_needs(
    llem: Llem,
) -> None:
    done = llem("ab", "--b", "env.NAP=0.04", *GATE, "--json", "--markdown=out/ab.md")
    assert done.returncode == 1
    page = Path("out/ab.md").read_text(encoding="utf-8")
    assert "| a | b |" in page
    assert "env.NAP=0.04" in page
    said = judged(done)
    (experiment,) = said["experiments"]
    (judgement,) = experiment["judgements"]
    assert judgement["verdict"] == "regressed"
    assert judgement["change"] == pytest.approx(1.0, abs=0.3)
    assert said["processes"] == 2 * experiment["rounds"] < said["processes_at_most"] == 40
    assert not Path("baselines").exists()


def test_gates_of_project_markers_and_options_hold_as_in_any_run(
    llem: Llem, pytester: pytest.Pytester
) -> None:
    nap = NAPS.format(nap='float(os.environ.get("NAP", "0.02"))')
    free = '\n@pytest.mark.llem(gates={"duration_s": "off"})\ndef test_free(energy):\n    test_nap(energy)\n'
    pytester.makepyfile(test_it="import pytest\n" + nap + free, test_off=nap)
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        addopts = "--llem-strict -n2"
        [tool.llem.gates]
        duration_s = "10%"
        [tool.llem.gates.experiments."test_off.py*"]
        duration_s = "off"
        """
    )
    narrow = "power_w:0.001%@*test_free"
    done = llem("ab", "--b", "env.NAP=0.04", "--rounds", "1", "--gate", narrow, "--json")
    assert done.returncode == 1
    said = judged(done)
    assert said["strict"] is True
    found = {
        one["node_id"]: [
            (each["metric"], each["tolerance"]) for each in one["judgements"] if each["gated"]
        ]
        for one in said["experiments"]
    }
    assert found == {
        "test_it.py::test_nap": [("duration_s", "10%")],
        "test_it.py::test_free": [("power_w", "0.001%")],
        "test_off.py::test_nap": [],
    }


def test_what_was_measured_before_an_interruption_is_judged(
    pytester: pytest.Pytester, naps: None
) -> None:
    command = [sys.executable, "-m", "pytest_llem", "ab", "--b", "env.NAP=0.04", "--rounds", "50"]
    with subprocess.Popen(
        [*command, *GATE, "--pytest", QUICK],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as llem:
        assert llem.stderr is not None
        for line in llem.stderr:
            if line.startswith("round 3 of 50"):
                llem.send_signal(signal.SIGINT)
                break
        said, complaints = llem.communicate()
    assert llem.returncode == 130
    assert "Traceback" not in complaints
    assert "INTERRUPTED" in said
    assert "2 processes against 2" in said
    assert "1 regressed" in said


@pytest.mark.usefixtures("naps")
def test_sides_take_turns_and_each_begins_as_often(llem: Llem) -> None:
    done = llem("ab", "--a", "env.NAP=0.021", "--rounds", "4", *GATE)
    order = [line.rpartition(" ")[2] for line in done.stderr.splitlines() if "round" in line]
    assert order == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert "a: env.NAP=0.021" in done.stdout
    assert "b: as it is" in done.stdout
    assert "4 processes against 4" in done.stdout
    assert "change from a" in done.stdout
    assert "baseline" not in done.stdout


@pytest.mark.usefixtures("pytester")
def test_commits_are_measured_beside_the_working_tree(llem: Llem) -> None:
    Path("src/naps").mkdir(parents=True)
    test = "from naps import NAP\nimport time\n\ndef test_nap(energy):\n    energy.measure(lambda: time.sleep(NAP))\n"
    Path("test_it.py").write_text(test, encoding="utf-8")
    git("init", "--quiet", "--initial-branch=main")
    for nap, name in ((0.02, "slow"), (0.01, "fast")):
        Path("src/naps/__init__.py").write_text(f"NAP = {nap}\n", encoding="utf-8")
        git("add", "test_it.py", "src")
        git("commit", "--quiet", "-m", name)
    Path("src/naps/__init__.py").write_text("NAP = 5\n", encoding="utf-8")  # nobody's commit
    test_file = str(Path("test_it.py").absolute())
    sides = ("--a", "ref=HEAD~1", "--b", "ref=main")
    done = llem("ab", test_file, *sides, "--rounds", "3", *GATE, "--json")
    assert done.returncode == 0, done.stderr
    (experiment,) = judged(done)["experiments"]
    assert experiment["judgements"][0]["verdict"] == "improved"
    assert "NAP = 5" in Path("src/naps/__init__.py").read_text(encoding="utf-8")
    listed = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


@pytest.mark.usefixtures("naps")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "both sides are the same"),
        (("--b", "ref=nowhere"), "belongs to no repository|not a git repository|no such commit"),
        (("--b", "python=/nowhere/python"), "is no program"),
        (("--b", "NAP"), "write KEY=VALUE"),
        (("--b", "env.NAP=1 env.NAP=2"), "set twice"),
        (("--b", "batch_sice=4"), "Did you mean 'batch_size'"),
        (("--b", "pyhton=x"), "Did you mean 'python'"),
        (("--b", "python=/bin/echo"), "does not answer as Python would"),
        (("nothing.py", "--b", "env.NAP=1"), "file or directory not found: nothing.py"),
        (("--b", "env.NAP=1", "--max-repeats", "8"), "Add a --gate"),
        (("--b", "env.NAP=1", "--gats", "ttft_s:5%"), "-gate"),
        (("--b", "env.NAP=1", "--gate", "joules:5%"), "joules"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_measured(
    llem: Llem, arguments: tuple[str, ...], said: str
) -> None:
    done = llem("ab", *arguments)
    assert done.returncode == 2
    assert any(one in done.stderr for one in said.split("|")), done.stderr
    assert "round 1" not in done.stderr


def test_what_one_side_alone_has_is_named(llem: Llem, pytester: pytest.Pytester) -> None:
    source = NAPS.format(nap="0.01") + "\nif 'MORE' in os.environ:\n    test_more = test_nap\n"
    pytester.makepyfile(test_it=source)
    done = llem("ab", "--b", "env.MORE=1", "--rounds", "1")
    assert done.returncode == 0
    assert "only on side b, not compared: test_it.py::test_more" in done.stdout


def test_a_side_that_fails_is_told_and_fails_the_comparison(
    llem: Llem, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_it=NAPS.format(nap='1 / int(os.environ.get("NAP", "50"))'))
    done = llem("ab", "--b", "env.NAP=0", "--rounds", "2", *GATE)
    assert done.returncode == 1
    assert "test_it.py::test_nap: side b: failed: ZeroDivisionError" in done.stdout


def test_experiments_that_run_in_their_pytest_get_a_new_one_each_time(
    llem: Llem, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_it=NAPS.format(nap="0.01") + "    open('pids', 'a').write(f'{os.getpid()} ')\n"
    )
    done = llem("ab", "--b", "env.X=1", "--rounds", "2", "--pytest", "--llem-isolation=none")
    assert done.returncode == 0, done.stderr
    assert len(set(Path("pids").read_text(encoding="utf-8").split())) == 4


@pytest.mark.usefixtures("naps")
def test_a_thing_against_itself_tells_what_this_machine_can_see(llem: Llem) -> None:
    done = llem("aa", "--rounds", "3", *GATE, "--json")
    assert done.returncode == 0
    check = judged(done)["self_check"]
    assert (check["rounds"], check["deals"]) == (3, 8)
    assert check["false_alarms"] <= check["false_alarms_at_most"]
    (advice,) = check["recommended"]
    assert advice["metric"] == "duration_s"
    assert advice["tolerance"] > 0
