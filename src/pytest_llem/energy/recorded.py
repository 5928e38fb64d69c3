"""What a test records beside its energy: a figure of its own, such as the accuracy of its answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from pytest_llem.energy.measured import Inferred
from pytest_llem.energy.naming import NAME, QUALITY, UNIT
from pytest_llem.energy.student import NORMAL_95, mean_and_half_width_95, student_95

if TYPE_CHECKING:
    from collections.abc import Sequence


class Recorded(Inferred):
    """A figure of a test's own, as it recorded it."""

    name: str = Field(pattern=NAME)
    """As the test has it: ``accuracy`` is the metric ``quality.accuracy``."""
    value: float
    """The mean over its items, where items were recorded."""
    standard_error: float | None = Field(default=None, ge=0)
    """Of the value, by how the items differ; ``None`` for a single number, which is exact."""
    items: int | None = Field(default=None, ge=1)
    """How many there were; ``None`` for a single number."""
    share: bool = False
    """Whether each item was 0 or 1, so that the value is a share of them."""
    unit: str = Field(default="", pattern=UNIT)
    """As the test has it; empty for a share or a plain number."""
    higher_is_better: bool | None = None
    """``None`` if the test did not say and the name does not tell."""

    @property
    def uncertainty(self) -> float | None:
        """Half-width of the 95 % interval; ``None`` if there is none."""
        return None if self.standard_error is None else _reach(self.items) * self.standard_error

    @property
    def metric(self) -> str:
        """The name that rules have for it."""
        return QUALITY + self.name


def _reach(items: int | None) -> float:
    return NORMAL_95 if items in {None, 1} else student_95((items or 0) - 1)


def pooled_figures(processes: Sequence[Sequence[Recorded]]) -> tuple[Recorded, ...]:
    """The figures that every one of several processes recorded, each as one: the mean.

    Its uncertainty is the t interval over processes, or what the items say where that is larger:
    processes ask the same ones.
    """
    found = [{one.name: one for one in each} for each in processes]
    return tuple(
        _pooled([each[name] for each in found])
        for name in found[0]
        if all(name in each for each in found)
    )


def _pooled(figures: Sequence[Recorded]) -> Recorded:
    mean, spread = mean_and_half_width_95([one.value for one in figures])
    stated = [one.uncertainty for one in figures if one.uncertainty is not None]
    own = [math.fsum(stated) / len(stated)] if stated else []
    half = max([*own, *([] if spread is None else [spread])], default=None)
    first = figures[0]
    error = half / _reach(first.items) if half else None
    return first.model_copy(update={"value": mean, "standard_error": error})


def is_recorded(value: Any) -> bool:
    """Whether *value*, of JSON, is a recorded figure."""
    try:
        Recorded.model_validate(value)
    except ValidationError:
        return False
    return True
