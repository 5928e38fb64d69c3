"""Commands of the documents run as they are written, in a project such as they speak of."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from documentation.blocks import CHECKOUT, Block
from documentation.chosen import SHELL, named_files, of

if TYPE_CHECKING:
    from collections.abc import Callable

    from documentation.conftest import Project

    Write = Callable[[dict[str, str]], Project]

SMALL = "--llem-set input_tokens=8 --llem-set output_tokens=4"
"""Work for the built-in model that is done at once."""
ECHO = "--llem-backend=echo"
"""The engine of docs/components.md, which need not be imported for seconds."""
REAL = "pytest test_energy.py\n"
"""The one block that loads the built-in model; others differ by what is done with the figures."""


@pytest.mark.parametrize("block", of(*SHELL))
def test_commands_run(block: Block, written: Write) -> None:
    project = written({} if block.document == "bench/README.md" else named_files(block))
    if block.document == "bench/README.md":
        shutil.copytree(CHECKOUT / "bench", project.path / "bench", dirs_exist_ok=True)
    done = project.run(commands(block), *added(block))
    failed = re.findall(r"^FAILED (\d+) (.*)$", done.stderr, flags=re.MULTILINE)
    broken = [(code, told) for code, told in failed if not (code == "1" and may_find(told))]
    assert not broken, f"{broken}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr


def added(block: Block) -> list[str]:
    """Options that every pytest of *block* gets beside its own."""
    if block.directive == "dry run":
        return ["--llem-dry-run"]
    if "energy, model" not in "".join(named_files(block).values()) or "echo" in block.text:
        return []
    return [SMALL] if block.text == REAL else [SMALL, ECHO]


def commands(block: Block) -> str:
    """What is typed: the lines after prompts, or all of them where there are none."""
    lines = block.text.splitlines()
    typed, more = [], False
    for line in lines:
        if line.startswith("$ ") or more:
            typed.append(line.removeprefix("$ "))
            more = line.endswith("\\")
    return "\n".join(typed or lines)


def may_find(command: str) -> bool:
    """Whether 1 is an answer: the figures of tiny windows may well differ."""
    return bool(re.search(r"gate|llem (ab|aa|doctor|baseline diff|migrate|recompute)", command))
