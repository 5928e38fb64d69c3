"""Command lines: of ``llem``, and of pytest with our options."""

from __future__ import annotations

import io
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn
from unittest.mock import patch

import pytest
import typer
from hypothesis import strategies as st
from typer.testing import CliRunner

from fuzzing.places import folder
from fuzzing.stored import ROOT, kept
from fuzzing.target import Target
from fuzzing.values import PATHS
from pytest_llem import plugin
from pytest_llem.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

STUDY = b"base: {model: builtin/tiny, measurement: {windows: 3}}\nsweep: {batch_size: [1, 2]}\n"
TEST = b"def test_it(energy, model, batch_size=1):\n    energy.measure(model)\n"
WORDS = (
    *(
        "x.llem.yaml",
        "bad.llem.yaml",
        "test_fuzzed.py",
        "test_fuzzed.py::test_it",
        ".",
        "none",
        "empty",
    ),
    *("folder.llem.yaml", "latin.yaml", "pyproject.toml", "baselines", "HEAD", "HEAD:baselines"),
    *("csv:out.csv", "csv:folder.llem.yaml", "csv:", "parquet:x", "runs", "latest", "vllm", "a,b"),
    *(
        "transformers",
        "builtin/tiny",
        "batch_size=2",
        "vllm.max_num_seqs=x",
        "seed=1e400",
        "=",
        "a=",
    ),
    *("ttft_s:5%", "energy_j:+1J@*", "ttft_s", "off", "5%", "0", "-1", "1", "1e400", "nan", "inf"),
    *("auto", "on", "replay:none", "estimate", "nvml,rapl", "measured", "80GiB", "h100-sxm", "é"),
    *("./mine.toml", "*", "[", "a" * 300, "\udcff", "", " ", "-", "--", "💥", "env.A=1 ref=x", "'"),
)
NEVER = {"doctor", "components", "coverage"}
"""Commands that look at the machine rather than at what they are given, and take long."""
WRITING = {"migrate", "accept", "prune", "delete", "export", "--llem-update-baselines"}
LIMIT = "Traceback (most recent call last)"
words = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(PATHS).map("{}=1".format),
    st.text(st.characters(exclude_characters="/\0"), max_size=8),
)


@cache
def place() -> Path:
    """A project with a study, tests, runs and baselines, and things that are none."""
    here = folder("project")
    (here / "x.llem.yaml").write_bytes(STUDY)
    (here / "bad.llem.yaml").write_bytes(b"sweep: {batch_size: []}\n")
    (here / "latin.yaml").write_bytes(b"model: \xe9\n")
    (here / "test_fuzzed.py").write_bytes(TEST)
    (here / "mine.toml").write_bytes(b'tolerance = "5%"\n')
    (here / "empty").touch()
    (here / "folder.llem.yaml").mkdir()
    (here / "pytest.ini").write_bytes(b"[pytest]\n")
    (here / "pyproject.toml").write_bytes(b"[tool.llem]\nbatch_size = 2\n")
    return here


def _restored(arguments: Sequence[str]) -> None:
    """The run and its baseline, where they are not there or may be changed by *arguments*."""
    here = place()
    if (here / ".llem").is_dir() and WRITING.isdisjoint(arguments):
        return
    for name, source in ((".llem", folder(ROOT)), ("baselines", folder(ROOT) / "baselines")):
        shutil.rmtree(here / name, ignore_errors=True)
        shutil.copytree(source, here / name)


class _BeyondError(BaseException):
    """What comes now is not ours: a model would be loaded, or another program be started."""


def _beyond(*_: object, **__: object) -> NoReturn:
    raise _BeyondError


def _llem(arguments: Sequence[str]) -> None:
    kept()
    _restored(arguments)
    there = os.getcwd()  # noqa: PTH109 - to go back to
    os.chdir(place())
    try:
        with (
            patch("os.execv", _beyond),
            patch("pytest_llem.runs.library.run_experiment", _beyond),
            patch("pytest_llem.runs.ab.comparing.compare_sides", _beyond),
        ):
            result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        assert LIMIT not in result.output
    except _BeyondError:
        return
    finally:
        os.chdir(there)


def _commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    def of(command: Any, name: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        if not hasattr(command, "commands"):
            yield name, command
            return
        for word, inner in command.commands.items():
            if word not in NEVER:
                yield from of(inner, (*name, word))

    yield from of(typer.main.get_command(app), ())


def _option(names: Sequence[str], *, is_flag: bool) -> SearchStrategy[list[str]]:
    name = st.sampled_from(list(names))
    if is_flag:
        return st.tuples(name).map(list)
    apart = st.tuples(name, words).map(list)
    return st.one_of(apart, st.tuples(name, words).map(lambda both: ["=".join(both)]))


def _arguments(command: Any) -> SearchStrategy[list[str]]:
    options = [
        _option(one.opts, is_flag=bool(one.is_flag))
        for one in command.params
        if one.param_type_name == "option" and "--help" not in one.opts
    ]
    parts = st.lists(st.one_of(*options, words.map(lambda one: [one])), max_size=5)
    return parts.map(lambda found: [word for part in found for word in part])


def _lines() -> SearchStrategy[list[str]]:
    return st.one_of(
        *(
            st.tuples(st.just([*name]), _arguments(command)).map(lambda both: both[0] + both[1])
            for name, command in _commands()
        )
    )


class _Options:
    """Takes note of the options that a plugin adds."""

    def __init__(self) -> None:
        self.found: list[SearchStrategy[list[str]]] = []

    def getgroup(self, *_: str) -> _Options:
        return self

    def addoption(self, *names: str, **about: Any) -> None:
        is_flag = about.get("action", "") == "store_true"
        choices = st.sampled_from(about["choices"]) if "choices" in about else words
        option = _option(names, is_flag=is_flag)
        self.found.append(
            st.one_of(option, choices.map(lambda one: [f"{names[0]}={one}"]))
            if not is_flag
            else option
        )


def _pytest(arguments: Sequence[str]) -> None:
    kept()
    _restored(arguments)
    there, out = os.getcwd(), io.StringIO()  # noqa: PTH109 - to go back to
    os.chdir(place())
    own = [
        "-p",
        "pytest_llem.plugin",
        "-p",
        "no:cacheprovider",
        "--rootdir=.",
        "--import-mode=importlib",
    ]
    quiet = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    try:
        with redirect_stdout(out), redirect_stderr(out), patch.dict(os.environ, quiet):
            status = pytest.main([*own, *arguments])
    finally:
        os.chdir(there)
    said = out.getvalue()
    assert status != pytest.ExitCode.INTERNAL_ERROR, said
    assert LIMIT not in said, said


def _pytest_lines() -> SearchStrategy[list[str]]:
    options = _Options()
    plugin.pytest_addoption(options)  # type: ignore[arg-type] # it takes note, as a parser does
    parts = st.lists(st.one_of(*options.found), max_size=4)
    files = st.lists(
        st.sampled_from(
            ("x.llem.yaml", "test_fuzzed.py", "bad.llem.yaml", "latin.yaml", ".", "none")
        ),
        max_size=2,
    )
    never = st.sampled_from((["--llem-dry-run"], ["--co", "-q"], ["-k", "nothing"]))
    return st.tuples(parts, files, never).map(
        lambda all_: [*(word for part in all_[0] for word in part), *all_[1], *all_[2]]
    )


TARGETS = (
    Target("llem", _llem, _lines()),
    Target("pytest", _pytest, _pytest_lines()),
)
