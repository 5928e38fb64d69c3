"""A point whose configuration is put together when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.plan.point import Point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llem.config.leaves import Leaf
    from pytest_llem.plan.assembly import Assembly


class PlannedPoint(Point):
    """A valid point: like any other, but most of it exists from first use.

    A dry run of ten thousand points needs hardly any configuration, and few identities.
    """

    __slots__ = ("_assembly", "_leaves")

    _assembly: Assembly
    _leaves: tuple[Leaf, ...]

    @classmethod
    def of(
        cls,
        assembly: Assembly,
        label: str,
        own_arguments: Mapping[str, str],
        leaves: tuple[Leaf, ...],
        *,
        empty_id: bool = False,
    ) -> PlannedPoint:
        """The point with *leaves* on top of what *assembly* shares."""
        point = cls.__new__(cls)
        _SET_ASSEMBLY(point, assembly)  # the fields are frozen
        _SET_LEAVES(point, leaves)
        _SET_LABEL(point, label)
        _SET_OWN(point, own_arguments)
        _SET_INVALID(point, None)
        _SET_EMPTY_ID(point, empty_id)
        return point

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The values that the grid gives it, each object shared by all points that have it."""
        return self._leaves

    @property
    def assembly(self) -> Assembly:
        """What it is put together on; one for all points of a function."""
        return self._assembly

    def __getattr__(self, name: str) -> Any:
        """Fill in what is not there yet; called only for attributes that are missing."""
        if name == "config":
            value: Any = self._assembly.config(self._leaves)
        elif name == "identity":
            backend = self._assembly.backend({leaf.path: leaf for leaf in self._leaves})
            value = self._assembly.identity(self._leaves, backend, self.own_arguments)
        elif name in {"group", "repeats"}:
            value = getattr(self._assembly, name)
        elif name == "axes":
            value = {leaf.path: leaf.plain for leaf in self._leaves}
        elif name == "origins":
            value = self._assembly.origins(self._leaves)
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__setattr__(self, name, value)
        return value


_SET_ASSEMBLY: Any = PlannedPoint.__dict__["_assembly"].__set__
_SET_LEAVES: Any = PlannedPoint.__dict__["_leaves"].__set__
_SET_LABEL: Any = Point.__dict__["label"].__set__
_SET_OWN: Any = Point.__dict__["own_arguments"].__set__
_SET_INVALID: Any = Point.__dict__["invalid"].__set__
_SET_EMPTY_ID: Any = Point.__dict__["empty_id"].__set__
