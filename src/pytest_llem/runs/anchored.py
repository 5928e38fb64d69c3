"""What is known of a session's anchors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore


@dataclass(slots=True)
class Anchored:
    """The readings of a session, as results of the loops."""

    results: list[ExperimentResult] = field(default_factory=list)
    why_none: str = ""
    """Why there are none, or not of all devices."""

    @classmethod
    def of_run(cls, store: RunStore) -> Self:
        """Those of a stored run.

        Raises:
            StoreError: they cannot be read.
        """
        anchors = store.anchors
        return cls([] if anchors is None else list(anchors.results()))
