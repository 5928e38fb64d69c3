"""Finding a container runtime, on stand-ins for the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.errors import IsolationError
from pytest_llem.isolation.container.runtime import Image, find_runtime

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[[str, str], None]

DENIED = 'echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1'
WORKS = """
log="$0.log"; echo "$@" >> "$log"
case "$*" in
    info*) echo "4.9.1 false" ;;
    *"image inspect"*local*) echo 'feed ""' ;;
    *"image inspect"*there*) echo 'sha256:feed "registry.example/there@sha256:beef"' ;;
    *"image inspect"*far*) test -e "$0.pulled" && echo 'feed "registry.example/far@sha256:beef"' ;;
    pull*far*) touch "$0.pulled" ;;
    pull*) echo "manifest unknown" >&2; exit 125 ;;
    *) exit 125 ;;
esac
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Put a command with a script on an otherwise bare PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(
        "pytest_llem.isolation.container.runtime.shutil.which",
        lambda name: str(tmp_path / name) if (tmp_path / name).exists() else None,
    )

    def command(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return command


def test_the_first_runtime_that_works_is_taken(command: Command) -> None:
    command("podman", "exit 125")
    command("docker", WORKS)
    assert find_runtime("auto", []).name == "docker 4.9.1"
    command("podman", WORKS)
    assert find_runtime("auto", []).kind == "podman"
    assert find_runtime("docker", []).kind == "docker"


def test_without_any_each_says_why(command: Command) -> None:
    command("docker", DENIED)
    with pytest.raises(IsolationError) as said:
        find_runtime("auto", [])
    assert "podman: not installed" in str(said.value)
    assert "docker: you may not use it (permission denied" in str(said.value)


def test_a_daemon_that_does_not_run_is_told(command: Command) -> None:
    command("docker", 'echo; echo "Cannot connect to the Docker daemon" >&2; exit 0')
    with pytest.raises(IsolationError, match=r"does not work.*Cannot connect"):
        find_runtime("docker", [])


def test_what_is_wrong_is_told_rather_than_where_help_is(command: Command) -> None:
    command(
        "docker",
        """printf "unknown flag: --x\\n\\nRun 'docker --help' for more\\n" >&2; exit 125""",
    )
    with pytest.raises(IsolationError, match="unknown flag: --x"):
        find_runtime("docker", ["--x"])


@pytest.mark.parametrize(("ranges", "alone"), [(1, True), (2, False)])
def test_a_user_without_further_ids_is_known(
    command: Command, monkeypatch: pytest.MonkeyPatch, ranges: int, alone: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    command("podman", f'echo "4.3.1 true {ranges}"')
    found = find_runtime("podman", [])
    assert (found.rootless, found.single_user) == (True, alone)


def test_arguments_come_before_the_subcommand(command: Command, tmp_path: Path) -> None:
    command("podman", 'test "$1" = --root && echo "5 true"')
    assert find_runtime("podman", ["--root"]).version == "5"


def test_an_image_has_the_digest_of_its_registry(command: Command) -> None:
    command("podman", WORKS)
    runtime = find_runtime("podman", [])
    assert runtime.image("there", pull=False) == Image("there", "sha256:feed", "sha256:beef")
    assert runtime.image("local", pull=False) == Image("local", "sha256:feed", None)


def test_an_image_is_fetched_only_if_asked(command: Command, tmp_path: Path) -> None:
    command("podman", WORKS)
    runtime = find_runtime("podman", [])
    with pytest.raises(IsolationError, match="podman pull far"):
        runtime.image("far", pull=False)
    assert "pull far" not in (tmp_path / "podman.log").read_text()
    assert runtime.image("far", pull=True).digest == "sha256:beef"
    with pytest.raises(IsolationError, match="manifest unknown"):
        runtime.image("unknown", pull=True)
