"""The library is the core: all is there by name, and commands only ask it."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest_llem
from pytest_llem._public import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "pytest_llem"
SHOWING = ("reports", "commands", "errors", "_version")
"""Rooms that commands may ask for anything: how it is shown is theirs."""


def test_every_public_name_is_there_and_only_those() -> None:
    assert set(pytest_llem.__all__) == {*PLACES, "__version__"}
    assert dir(pytest_llem) == sorted([*pytest_llem.__all__, "llem"])
    for name in pytest_llem.__all__:
        assert getattr(pytest_llem, name) is not None


def test_types_are_told_the_same_places(checkout: Path) -> None:
    tree = ast.parse((checkout / "src/pytest_llem/__init__.py").read_text())
    told = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module not in _OWN:
            for one in node.names:
                place = node.module if one.asname is None else f"{node.module}:{one.name}"
                told[one.asname or one.name] = place
    assert told == PLACES


_OWN = {"__future__", "typing", f"{PACKAGE}._public", f"{PACKAGE}._version"}


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import pytest_llem; print(*set(sys.modules) - before)"
    command = [sys.executable, "-S", "-c", code]
    source = str(next(iter(pytest_llem.__path__)))
    environment = {"PYTHONPATH": source.removesuffix(PACKAGE)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    own = {name for name in done.stdout.split() if name.startswith(PACKAGE)}
    assert own == {PACKAGE, f"{PACKAGE}._public", f"{PACKAGE}._version"}
    assert not {"pydantic", "pytest", "typer"} & set(done.stdout.split())


def test_commands_ask_only_what_everybody_can(checkout: Path) -> None:
    public = {place if ":" in place else f"{place}:{name}" for name, place in PLACES.items()}
    package = checkout / "src" / PACKAGE
    for file in (package / "cli.py", *(package / "commands").glob("*.py")):
        asked = set(_asked(ast.parse(file.read_text())))
        assert asked <= public, f"{file.name} has logic of its own"


def _asked(tree: ast.Module) -> Iterator[str]:
    """``module:name`` of functions and classes of the package that are imported when it runs."""
    for_types = {
        id(one) for node in tree.body if isinstance(node, ast.If) for one in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or id(node) in for_types or node.module is None:
            continue
        package, _, inside = node.module.partition(".")
        if package == PACKAGE and inside.partition(".")[0] not in SHOWING:
            yield from (f"{node.module}:{one.name}" for one in node.names if not one.name.isupper())
