"""Deriving the figures of a stored run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.energy.derive import derive_measured
from pytest_llem.results.recompute import recompute
from pytest_llem.runs.kept_runs import open_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_llem.results.recompute import Recomputed


@dataclass(frozen=True, slots=True)
class Recomputation:
    """What came of deriving a run's figures again."""

    lines: tuple[str, ...]
    """One a measurement, for people."""
    differs: bool
    """Whether any figure came out otherwise, or could not be derived."""


def recompute_run(run: Path | str) -> Recomputation:
    """Derive the figures of *run* again, as :func:`~pytest_llem.open_run` takes it.

    Previews for reports, which runs of before have none of, are made where they are missing.

    Raises:
        ConfigError: there is no such run, or it is not clear which.
        StoreError: its files cannot be read.
    """
    store = open_run(str(run))
    stores = [store] if store.anchors is None else [store, store.anchors]
    recomputed = [again for one in stores for again in recompute(one, derive_measured)]
    problems = [problem for one in stores for problem in one.problems()]
    lines = [line for one in recomputed for line in _lines(one)]
    if made := store.make_previews():
        lines.append(f"{made} preview{'s' if made != 1 else ''} made for reports")
    return Recomputation(
        lines=(*lines, *map(str, problems), _total(recomputed)),
        differs=bool(problems) or not all(one.equal for one in recomputed),
    )


def _lines(one: Recomputed) -> Iterator[str]:
    verdict = "equal" if one.equal else "DIFFERS"
    yield f"{verdict:8}{one.experiment_id} {one.stored.name}"
    yield from (f"        {difference}" for difference in one.differences)


def _total(recomputed: list[Recomputed]) -> str:
    equal = sum(one.equal for one in recomputed)
    return f"{equal} of {len(recomputed)} measurements came out equal"
