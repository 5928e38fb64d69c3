"""Columns of the raw data's Parquet files, with their units.

Every column carries its unit and meaning in its own metadata, so that a file
explains itself without this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_TRACE = ("trace", "int32", "1", "Number of the trace in the file's metadata, from 0")
_DEVICE = ("device_uuid", "name", "", "Device that was read")

TRACE = (
    _TRACE,
    _DEVICE,
    ("before_ns", "int64", "ns", "Monotonic instant just before the device was read"),
    ("after_ns", "int64", "ns", "Monotonic instant just after the device was read"),
    (
        "energy_j",
        "float64",
        "J",
        "Energy counter since an arbitrary origin; null if none was given",
    ),
    ("power_w", "float64", "W", "Power at some instant of the call; null if none was given"),
    (
        "between_ns",
        "int64",
        "ns",
        "Monotonic instant with the energy given and power not asked for yet; null is unknown",
    ),
)
FACTS = (
    _TRACE,
    _DEVICE,
    ("time_ns", "int64", "ns", "Monotonic instant of the look"),
    ("temperature_c", "float64", "°C", "Temperature of the device; null is unknown"),
    ("sm_clock_mhz", "float64", "MHz", "Clock of the multiprocessors; null is unknown"),
    ("power_limit_w", "float64", "W", "Enforced power limit; null is unknown"),
    (
        "throttle_reasons",
        "names",
        "",
        "Why clocks are lowered; empty is no reason, null is unknown",
    ),
    ("memory_bytes", "int64", "B", "Memory in use on the device; null is unknown"),
    ("slowed_ns", "int64", "ns", "Time slowed by heat, brakes or limits so far; null is unknown"),
    ("processes", "numbers", "", "Processes that compute on the device; null is unknown"),
    (
        "foreign_processes",
        "numbers",
        "",
        "Those that are not the experiment's; null if they cannot be told apart",
    ),
    ("wraps", "int64", "1", "Times the meter carried the energy counter on; null is unknown"),
    (
        "graphics_processes",
        "numbers",
        "",
        "Others' processes that draw on the device; null is unknown",
    ),
)
MARKS = (
    ("measurement", "int32", "1", "Number of the measurement within its experiment, from 0"),
    ("name", "name", "", "Name of the measurement"),
    ("kind", "name", "", "workload, callable or window"),
    ("record", "name", "", "What the row is: measurement, warm_up, window or pass"),
    ("phase", "name", "", "whole, prefill or length; of windows and passes"),
    ("window_index", "int64", "1", "Number of the window within its phase; of windows and passes"),
    ("pass_index", "int64", "1", "Number of the pass within its window; of passes"),
    ("start_ns", "int64", "ns", "Monotonic start; null for a measurement"),
    ("end_ns", "int64", "ns", "Monotonic end; for a measurement, until when the load kept running"),
    (
        "read_until_ns",
        "int64",
        "ns",
        "Readings that ended later are not used; null uses all; of measurements",
    ),
    (
        "model",
        "string",
        "",
        "Size of the model as JSON, as its engine said; null is unknown; of measurements",
    ),
    (
        "idle",
        "string",
        "",
        "What the devices drew idling, as JSON; null if it was not looked at; of measurements",
    ),
    ("phases", "name", "", "How phases were to be told apart; null is auto; of measurements"),
    (
        "differences",
        "string",
        "",
        "What took another effect than was asked, as JSON; null is nothing; of measurements",
    ),
    (
        "traffic",
        "string",
        "",
        "How requests were to come, as JSON; null if they came as batches; of measurements",
    ),
    (
        "output_length",
        "int64",
        "1",
        "Output tokens of every request; null if they differ or are unknown; of windows",
    ),
    ("requests", "int64", "1", "Requests served; null is unknown; of passes"),
    ("input_tokens", "int64", "1", "Prompt tokens; null is unknown; of passes"),
    ("output_tokens", "int64", "1", "Generated tokens; null is unknown; of passes"),
    (
        "ttft_s",
        "float64",
        "s",
        "Mean time to first token over requests; null is unknown; of passes",
    ),
    ("itl_s", "float64", "s", "Mean gap between output tokens; null is unknown; of passes"),
    ("finish_reasons", "counts", "1", "Requests by why they ended; of passes"),
    (
        "first_token_ns",
        "int64",
        "ns",
        "When the first request had its first token; null is unknown; of passes",
    ),
    (
        "prefill_end_ns",
        "int64",
        "ns",
        "When the last request had its first token; null is unknown; of passes",
    ),
    ("batching", "name", "", "static or continuous; null is unknown; of passes"),
    (
        "latencies",
        "string",
        "",
        "Counts of latencies by bin, of each kind, as JSON; null is unknown; of passes",
    ),
    (
        "served",
        "string",
        "",
        "Requests of traffic that ended, as JSON; null for a batch; of passes",
    ),
    ("warm_up_passes", "int64", "1", "Passes of the warm-up; of warm-ups"),
    ("converged", "bool", "", "Whether the load was steady before the limit; of warm-ups"),
    ("reason", "string", "", "What the warm-up saw; of warm-ups"),
    (
        "criteria",
        "string",
        "",
        "What was looked at when the warm-up ended, as JSON; null if nothing was; of warm-ups",
    ),
)
Columns = tuple[tuple[str, str, str, str], ...]
"""Name, kind, unit (empty for none) and meaning of each column."""


def arrow_schema(columns: Columns) -> pa.Schema:
    """The Arrow schema of *columns*, units and meanings in each field's metadata."""
    import pyarrow as pa

    kinds = {
        "bool": pa.bool_(),
        "counts": pa.map_(pa.string(), pa.int64()),
        "float64": pa.float64(),
        "int32": pa.int32(),
        "int64": pa.int64(),
        "name": pa.dictionary(pa.int32(), pa.string()),
        "names": pa.list_(pa.string()),
        "numbers": pa.list_(pa.int64()),
        "string": pa.string(),
    }
    return pa.schema(
        [
            pa.field(name, kinds[kind], metadata={"unit": unit, "description": meaning})
            for name, kind, unit, meaning in columns
        ]
    )
