"""What an experiment may print and take."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.errors import ConfigError
from pytest_llem.isolation import undertaker
from pytest_llem.isolation.memory import MemoryGuard, bytes_of, kernel_kills
from pytest_llem.isolation.output import LONGEST_TEXT, OutputLog, bounded
from pytest_llem.isolation.process_tree import TOKEN_VARIABLE, ProcessTree
from pytest_llem.isolation.reports import describe
from pytest_llem.isolation.supervisor import Ending

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 << 30),
        ("8G", 8 << 30),
        ("8gb", 8 * 10**9),
        ("1.5 MiB", 3 << 19),
        ("500MB", 500 * 10**6),
        ("4096", 4096),
        ("4096B", 4096),
        ("1T", 1 << 40),
    ],
)
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1G", "0", "8 GiBs", "G", "1e9", "9" * 400])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no size"):
        bytes_of(text)


def test_a_tree_within_its_limit_may_go_on_and_one_beyond_it_may_not() -> None:
    own = ProcessTree(os.getpid(), None)
    assert MemoryGuard(own, 1 << 50).check() is None
    said = MemoryGuard(own, 1 << 20).check()
    assert said is not None
    assert said.startswith("out of memory (")
    assert said.endswith("GiB of 0.00 GiB)")


def test_pages_that_a_fork_shares_count_once() -> None:
    script = (
        "import os, sys, time\n"
        "data = bytearray(os.urandom(1)) * (200 << 20)\n"
        "for _ in range(4):\n"
        "    if not os.fork(): time.sleep(60)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        tree = ProcessTree(process.pid, None)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            assert len(list(tree.members())) == 5
            assert MemoryGuard(tree, 400 << 20).check() is None
            assert MemoryGuard(tree, 100 << 20).check() is not None
        finally:
            tree.kill()


def test_a_kill_by_the_kernel_for_want_of_memory_is_named_as_such() -> None:
    assert kernel_kills() >= 0
    said = describe(Ending(-9, kernel_kills=1), None)
    assert said.startswith("killed by SIGKILL")
    assert "memory" in said
    assert describe(Ending(-9), None) == "killed by SIGKILL"
    assert "memory" not in describe(Ending(-11, kernel_kills=1), None)


@given(
    chunks=st.lists(st.integers(0, 3000), max_size=20),
    limit=st.integers(1, 5000),
)
def test_the_end_of_what_was_printed_is_kept_in_a_bounded_file(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[int], limit: int
) -> None:
    path: Path = tmp_path_factory.mktemp("log") / "output"
    log = OutputLog(path, limit)
    printed = ""
    path.touch()
    for number, size in enumerate(chunks):
        text = str(number % 10) * size
        printed += text
        with path.open("a") as file:
            file.write(text)
        log.trim()
        assert path.stat().st_size <= limit
    shown = log.end()
    if len(printed) <= limit:
        assert shown == printed[-8000:]
    else:
        assert printed.endswith(shown.split("\n")[-1])
        assert len(shown.split("\n")[-1]) == min(len(printed), 8000)
    log.remove()
    assert not path.exists()
    assert log.end() == "" or len(printed) > limit


def test_long_texts_of_a_report_are_cut_at_their_start() -> None:
    value = {"sections": [["stdout", "x" * LONGEST_TEXT + "the end"], ["stderr", "short"]], "n": 1}
    cut = bounded(value)
    (name, text), kept = cut["sections"]
    assert (name, kept, cut["n"]) == ("stdout", ["stderr", "short"], 1)
    assert text.startswith("[7 characters were cut")
    assert text.endswith("the end")


def test_the_undertakers_variable_is_the_tokens() -> None:
    assert undertaker.VARIABLE == TOKEN_VARIABLE
