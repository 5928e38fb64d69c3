"""Measurements of marked windows, derived from traces as a run derives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llem.energy.derive import derive_measured
from pytest_llem.energy.marks import MeasurementMarks, Pass, WindowMark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.sampling.trace import Trace


def measured_in(traces: Sequence[Trace], starts_ns: Sequence[int], length_ns: int) -> Measured:
    """Windows over the whole, each of one pass with ten output tokens, that begin at *starts_ns*."""
    windows = []
    for index, start_ns in enumerate(starts_ns):
        one = Pass(
            start_ns=start_ns,
            end_ns=start_ns + length_ns,
            requests=1,
            input_tokens=5,
            output_tokens=10,
        )
        mark = WindowMark(
            phase="whole", index=index, start_ns=start_ns, end_ns=one.end_ns, passes=(one,)
        )
        windows.append(mark)
    marks = MeasurementMarks(
        name="m",
        kind="callable",
        warm_up=None,
        windows=tuple(windows),
        load_end_ns=windows[-1].end_ns,
    )
    return derive_measured(marks, traces)
