"""The same figures again, from the raw data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_llem.energy.spent import spent_of
from pytest_llem.errors import LlemError
from pytest_llem.results.differences import differences
from pytest_llem.results.raw import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llem.energy.marks import MeasurementMarks
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore

    Derive = Callable[[MeasurementMarks, Sequence[Trace]], Measured]


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One measurement as it was stored and as its raw data gives it now."""

    experiment_id: str
    repeat: int
    stored: Measured
    fresh: Measured | None
    """``None`` if it could not be derived; ``differences`` then says why."""
    differences: tuple[str, ...]
    """Which fields differ, and how; empty if none do."""

    @property
    def equal(self) -> bool:
        """Whether every figure came out the same."""
        return not self.differences


def recompute(store: RunStore, derive: Derive) -> list[Recomputed]:
    """Every measurement of the run's readable results, derived once more.

    Floats count as equal to within rounding, since another version of a library
    may add in another order.

    Args:
        store: the run; :meth:`RunStore.problems` has the results that are left out.
        derive: figures of one measurement from its marks and all traces.

    Raises:
        StoreError: the run's directory cannot be read.
    """
    return [
        again
        for entry in store.entries()
        for again in _experiment(entry.result, partial(store.raw_of, entry.name), derive)
    ]


def _experiment(
    result: ExperimentResult, load: Callable[[], RawData], derive: Derive
) -> list[Recomputed]:
    if not result.measurements:
        return []
    try:
        raw = load()
    except LlemError as error:
        return [_failed(result, stored, error) for stored in result.measurements]
    if len(raw.marks) != len(result.measurements):
        reason = f"there are marks of {len(raw.marks)} measurements for {len(result.measurements)}"
        return [_failed(result, stored, reason) for stored in result.measurements]
    first, *others = (
        _measurement(result, stored, partial(derive, marks, raw.traces))
        for stored, marks in zip(result.measurements, raw.marks, strict=True)
    )
    return [replace(first, differences=(*first.differences, *_spent(result, raw))), *others]


def _spent(result: ExperimentResult, raw: RawData) -> Iterator[str]:
    """Where what the devices used in all differs."""
    if result.spent is None:  # as in results that were stored without it
        return
    try:
        fresh = spent_of(raw.traces)
    except (LlemError, *DAMAGE) as error:
        yield f"spent: not derived: {error}"
    else:
        yield from (f"spent.{one}" for one in differences(result.spent, fresh))


def _measurement(
    result: ExperimentResult, stored: Measured, derive: Callable[[], Measured]
) -> Recomputed:
    try:
        fresh = derive()
    except LlemError as error:
        return _failed(result, stored, error)
    except DAMAGE as error:
        first = str(error).partition("\n")[0]
        said = f"its raw data makes no sense ({type(error).__name__}: {first})"
        return _failed(result, stored, said)
    found = differences(stored, fresh)
    return Recomputed(result.experiment_id, result.repeat, stored, fresh, found)


def _failed(result: ExperimentResult, stored: Measured, reason: object) -> Recomputed:
    return Recomputed(
        result.experiment_id, result.repeat, stored, None, (f"not derived: {reason}",)
    )
