"""Names that no file has, and streams that nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pytest_llem.cli import app
from pytest_llem.commands.streams import standard_streams
from pytest_llem.errors import LlemError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a" * 300
STUDY = "base: {model: builtin/tiny}\nsweep: {batch_size: [1]}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", LONG),
        ("plan", LONG),
        ("runs", "show", LONG),
        ("runs", "delete", "--yes", LONG),
        ("recompute", LONG),
        ("export", LONG, "csv:x.csv"),
        ("baseline", "list", "--from", LONG),
        ("baseline", "list", "--baselines", LONG),
        ("baseline", "accept", LONG, "--reason", "x"),
        ("history", "--baselines", LONG),
        ("config", "show", "--profile", f"~nobody-is-called-so/{LONG}.toml"),
        ("ab", ".", "--b", f"python=~nobody-is-called-so/{LONG}"),
        ("run", "caf\udce9.llem.yaml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2])[:20],
)
def test_a_name_that_cannot_be_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LlemError):
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("config show > /dev/full", 2),
        ("doctor >&-", None),
        ("plan one.llem.yaml >&- <&-", 0),
        ("config schema | head -n1", 0),
    ],
)
def test_output_that_cannot_be_written_is_no_traceback(
    tmp_path: Path, command: str, status: int | None
) -> None:
    (tmp_path / "one.llem.yaml").write_text(STUDY)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m pytest_llem {command}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    assert status is None or done.returncode == status, said
    assert ("/dev/full" in command) == ("no space left on device" in said)


def test_a_directory_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StoreError, match="the current directory is gone"), standard_streams():
        CliRunner().invoke(app, ["config", "show"], catch_exceptions=False)
