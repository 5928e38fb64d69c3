"""What was stored before warm-ups said what they looked at, and before devices were locked."""

from __future__ import annotations

import json
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING

import pytest

from pytest_llem.energy.marks import Criterion, MeasurementMarks, WarmUp
from pytest_llem.results.mark_rows import marks_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore

SEEN = Criterion(name="power", holds=False, value=0.07, limit=0.02, reason="power drifts by +7.0%")
MARKS = MeasurementMarks(
    name="workload",
    kind="workload",
    warm_up=WarmUp(
        start_ns=1, end_ns=9, passes=3, converged=False, reason="not steady", criteria=(SEEN,)
    ),
    windows=(),
    load_end_ns=10,
)


@pytest.mark.parametrize(
    ("path", "default"),
    [
        (("measurements", 0, "warm_up", "criteria"), []),
        (("measurement_methodology", "shared"), False),
    ],
    ids=["what warm-ups looked at", "whether devices were shared"],
)
def test_a_result_that_does_not_say_everything_is_read(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    path: tuple[str | int, ...],
    default: object,
) -> None:
    result = make_result()
    store.write_result(result, None)
    (file,) = (store.path / "results").glob("*.json")
    stored = json.loads(file.read_text())
    *outer, name = path
    assert reduce(getitem, outer, stored).pop(name) == default
    file.write_text(json.dumps(stored))
    (read,) = store.results()
    assert read == result


def test_criteria_are_kept_with_the_marks_and_may_be_missing() -> None:
    rows = list(rows_of([MARKS]))
    assert marks_of(rows) == [MARKS]
    for row in rows:
        row.pop("criteria", None)
    (read,) = marks_of(rows)
    assert read.warm_up is not None
    assert read.warm_up.criteria == ()
    assert read.warm_up.reason == "not steady"
