"""What is public of the package, read from its source: names, signatures, docstrings."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))  # this checkout's

from pytest_llem._public import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Member:
    """A field, property or method of a class."""

    name: str
    signature: str
    """As it would be written; of a field, with its type and default."""
    parameters: str
    """Of a method, their names; empty for what is not called."""
    said: str


@dataclass(frozen=True, slots=True)
class Public:
    """A public name."""

    name: str
    section: str
    module: str
    """Where it is defined."""
    is_class: bool
    signature: str
    parameters: str
    said: str
    """First paragraph of its docstring."""
    members: tuple[Member, ...]


def public_names() -> Iterator[Public]:
    """Every public name, by section."""
    for section, names in SECTIONS.items():
        for name, place in names.items():
            yield _public(name, section, place)


def _public(name: str, section: str, place: str) -> Public:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute or name)
    node = _definition(found.__module__, found.__name__)
    is_class = isinstance(node, ast.ClassDef)
    return Public(
        name,
        section,
        found.__module__,
        is_class,
        name if isinstance(node, ast.ClassDef) else _signature(node, name),
        "" if isinstance(node, ast.ClassDef) else _parameters(node),
        _paragraph(ast.get_docstring(node)),
        tuple(_members(node)) if isinstance(node, ast.ClassDef) else (),
    )


@cache
def _tree(module: str) -> ast.Module:
    file = inspect.getsourcefile(importlib.import_module(module))
    assert file is not None  # noqa: S101 - it is a module of the package
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _definition(module: str, name: str) -> Definition:
    return next(
        node
        for node in _tree(module).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
    )


def _members(node: ast.ClassDef) -> Iterator[Member]:
    for one, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            if not one.target.id.startswith("_"):
                yield Member(one.target.id, _field(one), "", _paragraph(_text(after)))
        elif isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
            yield _method(one)


def _method(node: ast.FunctionDef) -> Member:
    said = _paragraph(ast.get_docstring(node))
    if any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list):
        type_ = "" if node.returns is None else f": {ast.unparse(node.returns)}"
        return Member(node.name, node.name + type_, "", said)
    return Member(node.name, _signature(node, node.name), f"({_parameters(node)})", said)


def _field(node: ast.AnnAssign) -> str:
    default = "" if node.value is None else f" = {ast.unparse(node.value)}"
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{default}"


def _signature(node: ast.FunctionDef, name: str) -> str:
    returns = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    return f"{name}({ast.unparse(_own(node))}){returns}"


def _parameters(node: ast.FunctionDef) -> str:
    """Names, with ``=`` where there is a default."""
    arguments = _own(node)
    plain = [*arguments.posonlyargs, *arguments.args]
    without = len(plain) - len(arguments.defaults)
    names = [one.arg + ("=" if place >= without else "") for place, one in enumerate(plain)]
    if arguments.vararg:
        names.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        names.append("*")
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    names += [one.arg + ("" if default is None else "=") for one, default in pairs]
    if arguments.kwarg:
        names.append(f"**{arguments.kwarg.arg}")
    return ", ".join(names)


def _own(node: ast.FunctionDef) -> ast.arguments:
    """Its arguments without ``self`` or ``cls``."""
    given = node.args
    bound = [one for one in given.args if one.arg not in {"self", "cls"}]
    return ast.arguments(
        given.posonlyargs,
        bound,
        given.vararg,
        given.kwonlyargs,
        given.kw_defaults,
        given.kwarg,
        given.defaults,
    )


def _text(node: ast.stmt | None) -> str | None:
    """A field's docstring: the text behind it."""
    constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return str(node.value.value) if constant else None  # type: ignore[union-attr]


def _paragraph(docstring: str | None) -> str:
    """The first paragraph, as Markdown."""
    first = inspect.cleandoc(docstring or "").split("\n\n")[0]
    named = re.sub(r":\w+:`(?:~[\w.]*\.)?\.?([^`]+)`", r"`\1`", " ".join(first.split()))
    return named.replace("``", "`")
