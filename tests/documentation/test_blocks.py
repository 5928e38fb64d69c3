"""Every code block of every document is what it says, or says why it is not run here."""

from __future__ import annotations

import ast
import json
import tomllib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

from documentation.blocks import BLOCKS, CHECKOUT, Block
from documentation.chosen import SHELL, named_files, of

if TYPE_CHECKING:
    from collections.abc import Callable

    from documentation.conftest import Project

    Write = Callable[[dict[str, str]], Project]

LANGUAGES = {*SHELL, "python", "toml", "yaml", "json"}
SHOWN = {"output of", "drawing"}
NOT_RUN: dict[str, int] = {
    "CONTRIBUTING.md": 1,
    "README.md": 1,
    "README.zh.md": 1,
    "bench/README.md": 1,
    "docs/ci.md": 2,
    "docs/comparing.md": 1,
    "docs/configuration.md": 1,
    "docs/engines.md": 3,
    "docs/formats.md": 5,
    "docs/gates.md": 1,
    "docs/getting-started.md": 4,
    "docs/gpu-check.md": 1,
    "docs/isolation.md": 1,
    "docs/log.md": 1,
    "docs/reproduce.md": 1,
    "docs/results.md": 1,
    "docs/servers.md": 1,
    "docs/studies.md": 1,
    "docs/zh/getting-started.md": 4,
    "examples/pytest-llem-onnx/README.md": 1,
}
"""Blocks that are not run, or only planned, by document; raise a number only with a reason."""


def test_every_block_names_its_language_or_what_printed_it() -> None:
    unknown = [
        f"{block}: {block.language or 'no language'}"
        for block in BLOCKS
        if block.language not in LANGUAGES and block.directive not in SHOWN
    ]
    assert unknown == []


def test_what_is_not_run_is_counted() -> None:
    skipped = Counter(one.document for one in BLOCKS if one.directive in {"not run", "dry run"})
    assert dict(sorted(skipped.items())) == NOT_RUN


def is_test(block: Block) -> bool:
    return "def test_" in block.text


@pytest.mark.parametrize("block", of("python"))
def test_python_is_planned_or_runs(block: Block, written: Write) -> None:
    if is_signature(block.text):
        return  # compared with the code by tests/project/test_inventory.py
    project = written(named_files(block))
    name = block.file or ("test_block.py" if is_test(block) else "block.py")
    (project.path / name).parent.mkdir(parents=True, exist_ok=True)
    (project.path / name).write_text(block.text)
    how = "pytest --llem-dry-run" if is_test(block) else "python"
    done = project.run(f"{how} {name}")
    assert done.returncode == 0, done.stdout + done.stderr


def is_signature(text: str) -> bool:
    """Whether it is the head of a function, as docs/api.md has them."""
    try:
        ast.parse(text)
    except SyntaxError:
        ast.parse(f"def {text.strip()}: ...")
        return True
    return False


@pytest.mark.parametrize("block", of("toml"))
def test_toml_is_valid_configuration(block: Block, written: Write) -> None:
    table = tomllib.loads(block.text)
    if "llem" in table.get("tool", {}):
        checked(written({"pyproject.toml": block.text}))
    elif "devices" in table:  # a system profile
        project = written({"mine.toml": block.text})
        done = project.run("llem config show --profile ./mine.toml")
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        groups = table["project"]["entry-points"]
        known = (CHECKOUT / "docs/inventory.txt").read_text()
        assert all(f"group {group} (" in known for group in groups)


@pytest.mark.parametrize("block", of("yaml"))
def test_yaml_is_a_valid_study_or_configuration(block: Block, written: Write) -> None:
    table = yaml.safe_load(block.text)
    if {"base", "sweep", "experiments"} & set(table):
        checked(written({"it.llem.yaml": block.text}), "it.llem.yaml")
    elif "jobs" not in table:
        checked(written({"llem.yaml": block.text}))


def checked(project: Project, *files: str) -> None:
    done = project.run(f"llem config check {' '.join(files)}")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", of("json"))
def test_json_is_valid(block: Block) -> None:
    json.loads(block.text)
