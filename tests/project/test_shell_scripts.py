"""The scripts that run before there is an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ["bash", "dirname", "cat", "grep", "sed", "tee", "mktemp", "rm", "id", "env"]


@pytest.fixture
def clone(checkout: Path, tmp_path: Path) -> Path:
    """A checkout with nothing but the scripts, and a PATH folder with nothing but basic tools."""
    for name in ("scripts", ".ci"):
        shutil.copytree(checkout / name, tmp_path / name)
    (tmp_path / "path").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "path" / tool).symlink_to(found)
    return tmp_path


def write_tool(clone: Path, name: str, text: str) -> None:
    """Puts a program called *name* on the clone's PATH."""
    tool = clone / "path" / name
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)


def run(clone: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(clone / "path"), "HOME": str(clone), **variables}
    return subprocess.run(
        [str(clone / script)],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def interpreter() -> str:
    """The interpreter below any virtual environment, as the script names it."""
    return str(getattr(sys, "_base_executable", sys.executable))


def test_the_named_interpreter_is_taken(clone: Path) -> None:
    assert run(clone, "scripts/find-python.sh", PYTHON=sys.executable).stdout.strip() == (
        interpreter()
    )


def test_a_named_interpreter_that_does_not_start_is_an_error(clone: Path) -> None:
    write_tool(clone, "python3", f'exec {sys.executable} "$@"')
    done = run(clone, "scripts/find-python.sh", PYTHON="/no/such/python")
    assert done.returncode == 1
    assert "PYTHON=/no/such/python" in done.stderr


def test_an_old_python3_is_passed_over(clone: Path) -> None:
    write_tool(clone, "python3", "exit 1")
    write_tool(clone, "python3.12", f'exec {sys.executable} "$@"')
    assert run(clone, "scripts/find-python.sh").stdout.strip() == interpreter()


def test_the_interpreter_of_the_environment_is_kept(clone: Path) -> None:
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").symlink_to(interpreter())
    done = run(clone, "scripts/find-python.sh")
    assert os.path.realpath(done.stdout.strip()) == os.path.realpath(interpreter())


def test_no_python_at_all_says_what_to_do(clone: Path) -> None:
    done = run(clone, "scripts/find-python.sh")
    assert done.returncode == 1
    assert "PYTHON=/path/to/python3 make" in done.stderr


def test_a_compiler_that_works_is_enough(clone: Path) -> None:
    write_tool(clone, "cc", "exit 0")
    assert run(clone, "scripts/need-compiler.sh").returncode == 0


def test_a_missing_compiler_says_what_to_install(clone: Path) -> None:
    done = run(clone, "scripts/need-compiler.sh")
    assert done.returncode == 1
    assert "apt-get install gcc" in done.stderr


@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_installs_a_compiler(clone: Path, user: int) -> None:
    (clone / "path/id").unlink()
    write_tool(clone, "id", f"echo {user}")
    write_tool(clone, "apt-get", f'echo "$@" >> {clone}/apt.log')
    run(clone, "scripts/need-compiler.sh")
    assert (clone / "apt.log").exists() == (user == 0)


@pytest.mark.parametrize("script", ["need-podman.sh", "need-chromium.sh"])
@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_installs_what_tests_can_do_without_and_its_absence_is_no_failure(
    clone: Path, user: int, script: str
) -> None:
    (clone / "path/id").unlink()
    write_tool(clone, "id", f"echo {user}")
    write_tool(clone, "apt-get", f'echo "$@" >> {clone}/apt.log')
    done = run(clone, f"scripts/{script}")
    assert done.returncode == 0
    assert "skipped" in done.stdout
    assert (clone / "apt.log").exists() == (user == 0)


@pytest.mark.parametrize("tool", ["podman", "chromium"])
def test_nothing_is_installed_where_it_is(clone: Path, tool: str) -> None:
    write_tool(clone, tool, "exit 0")
    write_tool(clone, "apt-get", f'echo "$@" >> {clone}/apt.log')
    done = run(clone, f"scripts/need-{tool}.sh")
    assert (done.returncode, done.stdout) == (0, "")
    assert not (clone / "apt.log").exists()


MAKE = """
case "$*" in
    *test*) echo '=== 3 passed, 1 warning in 0.52s ==='; exit {test} ;;
    *bench*) echo '=== 7 passed in 71.20s (0:01:11) ==='; exit {bench} ;;
esac
"""


@pytest.mark.parametrize(("test", "bench"), [(0, 0), (2, 0), (0, 2), (2, 2)])
def test_ci_fails_if_either_part_fails(clone: Path, test: int, bench: int) -> None:
    write_tool(clone, "make", MAKE.format(test=test, bench=bench))
    done = run(clone, ".ci/run")
    assert (done.returncode == 0) == (test == bench == 0)


def test_ci_ends_with_the_summaries_of_pytest(clone: Path) -> None:
    write_tool(clone, "make", MAKE.format(test=2, bench=0))
    assert run(clone, ".ci/run").stdout.splitlines()[-2:] == [
        "=== 3 passed, 1 warning in 0.52s ===",
        "=== 7 passed in 71.20s (0:01:11) ===",
    ]
