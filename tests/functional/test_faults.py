"""Files that cannot be read or written: the test that met them says so, the others go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

QUICK = '{"windows": 2, "window_s": 0.1, "warmup_min_s": 0, "warmup_max_s": 1}'
SOURCE = f"""
import pytest

@pytest.mark.llem(measurement={QUICK})
@pytest.mark.parametrize("seed", [1, 2])
def test_it(energy, seed):
    energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
"""
GATE = "--llem-gate=energy_per_output_token_j:5%"


def baseline_of(pytester: pytest.Pytester) -> Path:
    (file,) = pytester.path.glob("baselines/**/*.json")
    return file


@pytest.mark.parametrize(
    "damage",
    [lambda text: text[: len(text) // 2], lambda text: "<<<<<<< HEAD\n" + text, lambda _: "[]"],
    ids=["truncated", "merge conflict", "no baseline at all"],
)
def test_a_damaged_baseline_fails_the_tests_that_need_it(
    run: Run, pytester: pytest.Pytester, damage: Callable[[str], str]
) -> None:
    run(SOURCE, "--llem-update-baselines").assert_outcomes(passed=2)
    file = baseline_of(pytester)
    file.write_text(damage(file.read_text()))
    damaged = file.read_bytes()
    result = run(SOURCE + "\ndef test_other(): pass\n", GATE)
    result.assert_outcomes(passed=1, failed=2)
    text = result.stdout.str()
    assert file.name in text.replace("\n", "")
    assert "Traceback" not in text
    assert file.read_bytes() == damaged
    assert len(list(pytester.path.glob(".llem/runs/*/results/*.json"))) == 4


def test_only_an_update_writes_baselines(run: Run, pytester: pytest.Pytester) -> None:
    run(SOURCE, "--llem-update-baselines").assert_outcomes(passed=2)
    file = baseline_of(pytester)
    before = file.read_bytes()
    run(SOURCE)
    run(SOURCE, "--llem-gate=energy_per_output_token_j:900%")
    assert file.read_bytes() == before
    assert json.loads(before)["schema_version"] == 2


def test_strict_fails_what_is_new(run: Run) -> None:
    run(SOURCE, GATE).assert_outcomes(passed=2)
    result = run(SOURCE, GATE, "--llem-strict")
    result.assert_outcomes(failed=2)
    assert "new" in result.stdout.str()


def test_workers_judge_and_update_too(run: Run, pytester: pytest.Pytester) -> None:
    run(SOURCE, "-n2", "--llem-update-baselines").assert_outcomes(passed=2)
    assert len(json.loads(baseline_of(pytester).read_text())["entries"]) == 2
    result = run(SOURCE, "-n2", "--llem-gate=energy_per_output_token_j:900%")
    result.assert_outcomes(passed=2)
    assert "pass" in result.stdout.str()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB, where mounting one is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_fails_its_test_and_keeps_what_was_finished(run: Run, small_disk: Path) -> None:
    result = run(
        SOURCE.replace("[1, 2]", "[1]")
        + f"""

def test_fills_the_disk():
    import os
    file = os.open({str(small_disk / "filler")!r}, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, b"x" * 512)
    except OSError:
        os.close(file)

@pytest.mark.llem(measurement={QUICK})
def test_late(energy):
    energy.measure(lambda: sum(range(10_000)))
""",
        f"--llem-dir={small_disk}",
    )
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert "StoreError: cannot write" in text
    assert "full" in text
    assert "INTERNALERROR" not in text
    (directory,) = (small_disk / "runs").iterdir()
    stored = list(RunStore.open(directory).results())
    assert [one.outcome for one in stored] == ["passed"]


def test_a_directory_that_cannot_be_written_is_a_clear_error(
    run: Run, pytester: pytest.Pytester
) -> None:
    (pytester.path / "file").write_text("in the way")
    result = run(SOURCE, f"--llem-dir={pytester.path / 'file'}")
    assert result.ret != 0
    text = result.stdout.str() + result.stderr.str()
    assert str(pytester.path / "file") in text.replace("\n", "")
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text


def test_a_missing_extra_says_what_to_install(run: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "blocked").mkdir()
    (pytester.path / "blocked" / "sitecustomize.py").write_text(
        """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in {"torch", "transformers"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(pytester.path / "blocked"), prepend=os.pathsep)
        result = run("def test_it(energy, model): pass")
    result.assert_outcomes(errors=1)
    assert "pip install 'pytest-llem[transformers]'" in result.stdout.str()
    assert "During handling of the above" not in result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "batch_sise=4", "--model", "builtin/tiny"], "batch_size"),
        (["--backend", "vlm", "--model", "builtin/tiny"], "vllm"),
        (["--model", "builtin/tiny", "--require", "estimates"], "measured"),
        (["--model", "builtin/tiny", "--require", "measured"], "has to be measured"),
        ([], "--model"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments: list[str], said: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytest_llem", "run", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_command_says_its_version() -> None:
    from pytest_llem import __version__

    command = [sys.executable, "-m", "pytest_llem", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == f"pytest-llem {__version__}"
