"""A point whose configuration is put together when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llem.plan.point import Point

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.config.leaves import Leaf
    from pytest_llem.plan.assembly import Assembly


class PlannedPoint(Point):
    """A valid point: like any other, but its ``config``, ``axes`` and ``origins`` exist from first use.

    A dry run of ten thousand points needs their identities, and hardly any
    configuration.
    """

    __slots__ = ("_assembly", "_leaves")

    _assembly: Assembly
    _leaves: Sequence[Leaf]

    @classmethod
    def of(
        cls,
        assembly: Assembly,
        label: str,
        identity: str,
        own_arguments: Mapping[str, str],
        leaves: Sequence[Leaf],
    ) -> PlannedPoint:
        """The point with *leaves* on top of what *assembly* shares."""
        point = cls.__new__(cls)
        set_field = object.__setattr__  # the fields are frozen
        set_field(point, "group", assembly.group)
        set_field(point, "label", label)
        set_field(point, "identity", identity)
        set_field(point, "own_arguments", own_arguments)
        set_field(point, "invalid", None)
        set_field(point, "repeats", assembly.repeats)
        set_field(point, "_leaves", leaves)
        set_field(point, "_assembly", assembly)
        return point

    @property
    def leaves(self) -> Sequence[Leaf]:
        """The values that the grid gives it, each object shared by all points that have it."""
        return self._leaves

    def __getattr__(self, name: str) -> Any:
        """Fill in what is not there yet; called only for attributes that are missing."""
        if name == "config":
            value: Any = self._assembly.config(self._leaves)
        elif name == "axes":
            value = {leaf.path: leaf.plain for leaf in self._leaves}
        elif name == "origins":
            value = self._assembly.origins(self._leaves)
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        object.__setattr__(self, name, value)
        return value
