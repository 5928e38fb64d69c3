"""A child and a supervisor of different versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem import __version__
from pytest_llem.isolation.launcher import Command
from pytest_llem.isolation.spawn import SpawnLauncher

if TYPE_CHECKING:
    from pathlib import Path


def test_a_child_refuses_the_job_of_another_version_and_names_both(tmp_path: Path) -> None:
    command = Command(["-m", "pytest_llem.isolation.child"], tmp_path, output=tmp_path / "output")
    launched = SpawnLauncher().launch(command)
    try:
        hello = launched.channel.receive(60)
        assert hello is not None
        assert (hello.kind, hello.fields["version"]) == ("hello", __version__)
        launched.channel.send("job", version="1.2.3", function="builtins:print")
        said = launched.channel.receive(60)
        assert said is not None
        assert said.kind == "uncollected"
        assert launched.process.wait(60) == 1
    finally:
        launched.process.end()
        launched.channel.close()
    for text in (said.fields["message"], (tmp_path / "output").read_text()):
        assert "1.2.3" in text
        assert __version__ in text
        assert "Traceback" not in text
