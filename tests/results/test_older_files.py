"""Marks that were stored before there were columns for how phases are told apart."""

from __future__ import annotations

from pytest_llem.energy.marks import MeasurementMarks, Pass, WindowMark
from pytest_llem.results.mark_rows import marks_of, rows_of

LATER = {
    *("phases", "output_length", "first_token_ns", "prefill_end_ns", "batching", "idle", "model"),
    "latencies",
}


def test_marks_without_the_later_columns_have_the_defaults() -> None:
    done = Pass(start_ns=1, end_ns=2, requests=3, input_tokens=4, output_tokens=5)
    window = WindowMark(phase="prefill", index=0, start_ns=1, end_ns=2, passes=(done,))
    marks = MeasurementMarks(
        name="workload", kind="workload", warm_up=None, windows=(window,), load_end_ns=3
    )
    older = [
        {key: value for key, value in row.items() if key not in LATER} for row in rows_of([marks])
    ]
    rows = [dict.fromkeys(set().union(*older)) | row for row in older]
    assert marks_of(rows) == [marks]


def test_staged_marks_of_before_are_read() -> None:
    """Lines that have every field of then, and none that came later."""
    done = {"start_ns": 1, "end_ns": 2, "requests": 3, "input_tokens": 4, "output_tokens": 5}
    done |= {"ttft_s": 0.1, "itl_s": None, "finish_reasons": {"length": 3}}
    window = {"phase": "whole", "index": 0, "start_ns": 1, "end_ns": 2, "passes": [done]}
    head = {"name": "workload", "kind": "workload", "warm_up": None, "load_end_ns": 3}
    marks = MeasurementMarks.model_validate(head | {"windows": [window], "read_until_ns": None})
    assert marks.phases == "auto"
    assert marks.windows[0].output_length is None
    assert marks.windows[0].passes[0].batching is None
