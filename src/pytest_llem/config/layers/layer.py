"""The layers, and the one function that puts them together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_llem.config.documents.document import Place
    from pytest_llem.config.leaves import Leaf

LayerName = Literal[
    "default",
    "profile",
    "user",
    "project",
    "environment",
    "study",
    "marker",
    "parameter",
    "option",
]
ORDER: tuple[LayerName, ...] = get_args(LayerName)
"""From the weakest to the strongest."""
RANK: dict[str, int] = {name: rank for rank, name in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Origin:
    """Who said something, and where."""

    layer: LayerName
    place: Place | None = None
    """File, line and column; ``None`` where no file said it."""
    by: str = ""
    """What said it where no file did: a variable or an option."""

    def __str__(self) -> str:
        where = str(self.place) if self.place else self.by
        return f"{self.layer} ({where})" if where else self.layer


BUILT_IN = Origin("default")


@dataclass(frozen=True, slots=True)
class Given:
    """A value of one field, and who gave it."""

    leaf: Leaf
    origin: Origin


@dataclass(frozen=True, slots=True)
class Layers:
    """What layers together say; a field that none of them names has its default."""

    given: Mapping[str, Given] = field(default_factory=dict)
    """The strongest word on each field, by path (``batch_size``, ``vllm.max_num_seqs``)."""

    @property
    def leaves(self) -> dict[str, Leaf]:
        """The values by path."""
        return {path: one.leaf for path, one in self.given.items()}

    @property
    def origins(self) -> dict[str, Origin]:
        """Who gave each of the values."""
        return {path: one.origin for path, one in self.given.items()}

    def origin(self, path: str) -> Origin:
        """Who gave *path* its value."""
        return self.given[path].origin if path in self.given else BUILT_IN

    def __iter__(self) -> Iterator[Given]:
        return iter(self.given.values())


def layered(given: Iterable[Given]) -> Layers:
    """All that is *given*, in whatever order, with the strongest layer winning field by field.

    Within one layer the later one wins: outer markers are given before inner ones.
    """
    strongest: dict[str, Given] = {}
    for one in given:
        path = one.leaf.path
        known = strongest.get(path)
        if known is None or RANK[one.origin.layer] >= RANK[known.origin.layer]:
            strongest[path] = one
    return Layers(strongest)


def from_layer(leaves: Iterable[Leaf], origin: Origin) -> Iterator[Given]:
    """*leaves*, all given by the same."""
    return (Given(leaf, origin) for leaf in leaves)
