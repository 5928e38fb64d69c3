"""Colours of what ``llem`` writes: what the environment says, else a terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from instruments.examples import RESULT, example_raw
from pytest_llem.cli import app
from pytest_llem.commands.streams import has_colour
from pytest_llem.results.environment import Environment
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

VARIABLES = ("PY_COLORS", "NO_COLOR", "FORCE_COLOR")


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    ours, theirs = os.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as stream:
        yield stream


@pytest.mark.parametrize(
    ("said", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "PY_COLORS": "1"}, True),
        ({"PY_COLORS": "0", "FORCE_COLOR": "1"}, False),
    ],
)
def test_a_terminal_has_colours_unless_somebody_says_no(
    said: dict[str, str], coloured: bool, terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert has_colour(terminal) is coloured


@pytest.mark.parametrize(("said", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)])
def test_a_pipe_has_them_where_they_are_asked_for(
    said: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    store = RunStore.create(tmp_path / ".llem", command=["pytest"], environment=Environment())
    store.write_result(RESULT, example_raw())
    store.finish("finished")
    shown = CliRunner(env=said).invoke(app, ["runs", "show", "--dir", str(tmp_path / ".llem")])
    assert shown.exit_code == 0, shown.output
    assert ("\x1b[" in shown.output) is coloured
