"""What a run leaves for those who look at it on GitHub, GitLab and the like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instruments.github_double import REPOSITORY, TOKEN, github_double
from instruments.markdown import lines, tables
from instruments.quick import QUICK as AT_LEISURE

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., pytest.RunResult]

QUICK = (*AT_LEISURE, "--llem-isolation=none")
NAPS = """
import time
import pytest

@pytest.mark.parametrize("naps", [1, 2], ids=["a|b`c", "@you #1"])
def test_naps(energy, naps):
    energy.measure(lambda: time.sleep(naps / 100))
"""
DIES = """
import os

def test_dies(energy):
    os._exit(3)
"""
REGRESSES = "--llem-gate=duration_s:<=1ms"


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A step of GitHub Actions; the file that becomes its summary."""
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setenv("GITHUB_SHA", "f00")
    return summary


def commands(finished: pytest.RunResult) -> list[str]:
    return [line for line in finished.outlines if line.startswith("::")]


def test_a_job_has_its_summary_and_an_annotation_for_each_failure(run: Run, job: Path) -> None:
    job.write_text("# Another tool's\n")
    finished = run(NAPS, *QUICK, REGRESSES)
    finished.assert_outcomes(failed=2)
    written = job.read_text()
    assert written.startswith("# Another tool's\n\n## Energy: 2 of 2 experiments regressed\n")
    ((_, *rows),) = tables(written)
    assert {row[0].text for row in rows} == {
        "test_it.py::test_naps[a|b`c]",
        "test_it.py::test_naps[@you #1]",
    }
    assert {tuple(row[0].links) for row in rows} == {
        ("https://github.com/o/r/blob/f00/test_it.py#L5",)
    }
    assert all(row[2].text == "limit 1.00 ms" for row in rows)
    said = commands(finished)
    assert len(said) == 2
    for one in said:
        assert one.startswith("::error file=test_it.py,line=5,title=regressed%3A test_it.py%3A%3A")


def test_a_crash_is_annotated_too(run: Run, job: Path) -> None:
    finished = run(DIES, *AT_LEISURE)
    (said,) = commands(finished)
    energy = next(n for n, line in enumerate(finished.outlines) if " energy ==" in line)
    assert finished.outlines.index(said) > energy
    assert said.startswith("::error file=test_it.py,line=3,title=")
    assert "exited before finishing, with status 3" in said
    assert "1 of 1 experiments failed" in job.read_text()


def test_it_can_be_switched_off(run: Run, job: Path) -> None:
    assert not commands(run(NAPS, *QUICK, REGRESSES, "--llem-github=off"))
    assert not job.exists()


def test_elsewhere_nothing_is_said_unless_asked_for(run: Run) -> None:
    assert not commands(run(NAPS, *QUICK, REGRESSES, "-k", "you"))
    assert len(commands(run(NAPS, *QUICK, REGRESSES, "--llem-github=on"))) == 2


def test_a_summary_that_is_full_or_cannot_be_written_costs_nothing_else(
    run: Run, job: Path
) -> None:
    job.write_bytes(b"x" * (1 << 20))
    finished = run(NAPS, *QUICK, "-k", "you")
    finished.assert_outcomes(passed=1)
    finished.stdout.fnmatch_lines(
        ["llem: the summary of this step (*) is full: GitHub takes 1 MiB*"]
    )
    job.unlink()
    job.mkdir()
    finished = run(NAPS, *QUICK, "-k", "you")
    finished.assert_outcomes(passed=1)
    finished.stdout.fnmatch_lines(["llem: cannot write the summary of this step, *"])


def test_all_workers_are_in_one_summary(run: Run, job: Path) -> None:
    finished = run(NAPS, *QUICK, REGRESSES, "-n2")
    assert job.read_text().count("## Energy") == 1
    assert len(commands(finished)) == 2


def test_a_page_and_a_comment_are_written_anywhere_and_of_stored_runs(run: Run) -> None:
    run(
        NAPS, *QUICK, REGRESSES, "--llem-markdown=out/a.md", "--llem-export=github-comment:out/c.md"
    )
    page = Path("out/a.md").read_text()
    assert "How to reproduce this" in page
    (folder,) = Path(".llem/runs").iterdir()
    command = [sys.executable, "-m", "pytest_llem", "runs", "export", folder.name]
    targets = ["markdown:b.md", "github-comment:d.md", "gitlab-code-quality:q.json"]
    subprocess.run([*command, *targets], check=True)
    assert Path("b.md").read_text() == page
    assert Path("d.md").read_text() == Path("out/c.md").read_text()
    first, *_ = lines(Path("d.md").read_text())
    assert first.text == "Energy: 2 of 2 experiments regressed"
    found = json.loads(Path("q.json").read_text())
    assert [one["location"] for one in found] == [{"path": "test_it.py", "lines": {"begin": 5}}] * 2


def test_the_action_from_pytest_to_the_comment(
    pytester: pytest.Pytester, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``action.yml`` starts, one after the other, and what a fork's workflow does later."""
    scripts = Path(__file__).resolve().parents[2] / "scripts/github"
    pytester.makepyfile(test_it=NAPS)
    stale = Path(".llem/ci/comment.md")
    stale.parent.mkdir(parents=True)
    stale.touch()
    monkeypatch.setenv("INPUT_ARGS", f"{' '.join(QUICK)} {REGRESSES!r} -k you -p no:randomly")
    measured = subprocess.run(
        [sys.executable, scripts / "run_pytest.py"], capture_output=True, text=True, check=False
    )
    assert measured.returncode == pytest.ExitCode.TESTS_FAILED, measured.stdout
    assert "::error file=test_it.py,line=5," in measured.stdout
    assert job.exists()
    (folder,) = Path(".llem/runs").iterdir()
    stored = folder.rename(pytester.path / folder.name)
    export = [sys.executable, "-m", "pytest_llem", "runs", "export"]
    subprocess.run([*export, stored, "github-comment:later.md"], check=True)
    with github_double() as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        for file in (stale, Path("later.md")):
            command = [sys.executable, scripts / "post_comment.py", file, "--pull-request=7"]
            subprocess.run(command, check=True)
            (body,) = github.bodies(7)
            first, *_ = lines(body)
            assert first.text == "Energy: 1 of 1 experiments regressed"
