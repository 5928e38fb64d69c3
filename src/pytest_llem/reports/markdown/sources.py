"""Where in the repository a test is written."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Written(NamedTuple):
    """A place in a file of the repository."""

    path: str
    """From the root of the repository, with slashes."""
    line: int | None
    """Of the function's name, from 1; ``None`` if it was not found."""


@dataclass(slots=True)
class Sources:
    """The test files of a project, each read at most once."""

    project: Path
    """Directory that node ids begin in."""
    _root: Path | None = None
    _trees: dict[Path, ast.Module | None] = field(default_factory=dict)

    def of(self, node_id: str | None) -> Written | None:
        """Where the test *node_id* is written; ``None`` if its file is not below the repository.

        Never raises: what cannot be read or parsed has no line.
        """
        if node_id is None:
            return None
        path, *names = node_id.partition("[")[0].split("::")
        try:
            file = (self.project / path).resolve()
            if not file.is_file():
                return None
            inside = file.relative_to(self._repository())
        except (OSError, ValueError):
            return None
        return Written(inside.as_posix(), self._line(file, names))

    def _repository(self) -> Path:
        """The directory with ``.git`` that the project is in; without one, the project itself."""
        if self._root is None:
            project = self.project.resolve()
            around = (project, *project.parents)
            self._root = next((one for one in around if (one / ".git").exists()), project)
        return self._root

    def _line(self, file: Path, names: Sequence[str]) -> int | None:
        if file not in self._trees:
            self._trees[file] = _parsed(file)
        tree = self._trees[file]
        return None if tree is None else _line_of(tree, names)


def _parsed(file: Path) -> ast.Module | None:
    if file.suffix != ".py":
        return None
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _line_of(tree: ast.Module, names: Sequence[str]) -> int | None:
    """Line of the function that *names* lead to, through classes; of doubles the last counts."""
    body, line = tree.body, None
    for name in names:
        found = [one for one in body if isinstance(one, Definition) and one.name == name]
        if not found:
            return None
        body, line = found[-1].body, found[-1].lineno
    return line
