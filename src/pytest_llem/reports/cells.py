"""The cells of a table, in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llem.reports.ink import Style


class Cell(NamedTuple):
    """One cell in the parts that its column aligns."""

    parts: tuple[str, ...]
    style: Style = ""
    is_aligned: bool = True
    """Whether it lines up with the column's other cells; else it is only justified."""

    @property
    def text(self) -> str:
        return "".join(self.parts)


class Cells(Sequence[Cell]):
    """Cells that are made when somebody looks at them: a column may have no room, after all."""

    def __init__(self, count: int, make: Callable[[int], Cell]) -> None:
        self._count, self._make = count, make

    @cached_property
    def _all(self) -> list[Cell]:
        return list(map(self._make, range(self._count)))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._all)

    @overload
    def __getitem__(self, at: int) -> Cell: ...

    @overload
    def __getitem__(self, at: slice) -> list[Cell]: ...

    def __getitem__(self, at: int | slice) -> Cell | list[Cell]:
        if isinstance(at, slice):
            return list(map(self._make, range(self._count)[at]))
        return self._make(range(self._count)[at])
