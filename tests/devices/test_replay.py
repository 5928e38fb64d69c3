"""Recordings that this project keeps, played back."""

from __future__ import annotations

import json
import math
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruments.curves import Square
from instruments.recordings import MS, Sensor, recorded
from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.devices.assignment import devices_for
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.devices.replay import ReplayMeter
from pytest_llem.devices.selection import MeterRequest, choose_meter
from pytest_llem.devices.several import choose_meters
from pytest_llem.energy.estimator.window import estimate_window
from pytest_llem.energy.sampling.sampler import Sampler
from pytest_llem.energy.sampling.trace import Trace
from pytest_llem.errors import ConfigError, MeterError
from pytest_llem.results.parquet import write_parquet
from pytest_llem.results.raw import RawData
from pytest_llem.results.raw_store import RawStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COUNTER = Capability("gpu", "counter", 0.001, None)
GPU = Device("GPU-1", "NVIDIA L4", COUNTER, index=3)
START_NS = 7_000_000_000


class Timeline:
    """Time that passes only by sleeping."""

    def __init__(self, now_ns: int = 500_000_000_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)


def trace_of(*readings: tuple[float, float | None, float | None], device: Device = GPU) -> Trace:
    """Readings of 1 ms each, by when they began in milliseconds."""
    trace = Trace(device, "nvml")
    for at_ms, energy_j, power_w in readings:
        before_ns = START_NS + round(at_ms * MS)
        parted_ns = before_ns + MS // 4 if round(at_ms) % 2 else None
        trace.append(Reading(before_ns, before_ns + MS, energy_j, power_w, parted_ns))
    return trace


def kept(folder: Path, *traces: Trace, staged: bool = False) -> Path:
    """A file that a run keeps of these traces."""
    store = RawStore(folder)
    folder.mkdir(exist_ok=True)
    store.stage("it", RawData(traces, ()))
    if staged:
        return folder / "it.jsonl"
    store.compact()
    return folder / "it.trace.parquet"


def opened(path: Path, now: Timeline | None = None) -> tuple[ReplayMeter, list[Device]]:
    clock = now or Timeline()
    meter = ReplayMeter(str(path), clock, clock.sleep)
    return meter, meter.discover()


@pytest.mark.parametrize("staged", [False, True])
def test_every_reading_is_given_once_at_its_time(tmp_path: Path, staged: bool) -> None:
    readings = [(0, 5.0, 100.0), (40, 9.0, None), (55, None, 120.0)]
    now = Timeline()
    started_ns = now.now_ns
    meter, (device,) = opened(kept(tmp_path, trace_of(*readings), staged=staged), now)
    for at_ms, energy_j, power_w in readings:
        reading = meter.read(device)
        assert reading.before_ns - started_ns == at_ms * MS
        assert reading.after_ns == now.now_ns == reading.before_ns + MS
        assert (reading.energy_j, reading.power_w) == (energy_j, power_w)


def test_a_reader_that_comes_late_gets_the_newest(tmp_path: Path) -> None:
    now = Timeline()
    meter, (device,) = opened(kept(tmp_path, trace_of(*((n, n, None) for n in range(50)))), now)
    assert meter.read(device).energy_j == 0.0
    now.sleep(0.020)
    assert meter.read(device).energy_j == 20.0
    assert meter.read(device).energy_j == 21.0


def test_the_end_is_a_loss_and_nothing_is_repeated(tmp_path: Path) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, None), (1400, 2.0, None)))
    now = Timeline()
    meter, (device,) = opened(path, now)
    meter.read(device)
    now.sleep(1.4)
    meter.read(device)
    for _ in range(2):
        with pytest.raises(MeterError, match=r"ended after 1.4 s, and nothing is repeated.*longer"):
            meter.read(device)
        now.sleep(10)


def test_a_hole_is_a_loss_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    trace = trace_of((0, 1.0, None), (3000, 2.0, None))
    trace.loss = "GPU-1 fell off the bus"
    now = Timeline()
    meter, (device,) = opened(kept(tmp_path, trace), now)
    meter.read(device)
    with pytest.raises(MeterError, match=r"no readings for 3.0 s here \(GPU-1 fell off the bus\)"):
        meter.read(device)
    now.sleep(2.9)
    assert meter.read(device).energy_j == 2.0


def test_devices_keep_their_distance_in_time(tmp_path: Path) -> None:
    other = Device("GPU-2", "NVIDIA L4", COUNTER)
    path = kept(
        tmp_path, trace_of((0, 1.0, None)), trace_of((30, 2.0, None), (60, 3.0, None), device=other)
    )
    now = Timeline()
    started_ns = now.now_ns
    meter, (first, second) = opened(path, now)
    assert meter.read(first).before_ns == started_ns
    assert meter.read(second).before_ns == started_ns + 30 * MS
    assert meter.account is not None
    assert "recorded on 2 × NVIDIA L4, " in meter.account


def test_a_replayed_device_never_passes_for_the_device(tmp_path: Path) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, None)))
    _, (device,) = opened(path)
    assert (device.uuid, device.name) == ("replay:GPU-1", "NVIDIA L4 (replayed)")
    assert device.capability == COUNTER
    for where in ("auto", "cpu", "cuda:5"):
        config = ExperimentConfig(device=where)
        assert devices_for(config, [device], {"CUDA_VISIBLE_DEVICES": ""}) == [device]


def test_facts_are_those_of_the_time_without_the_processes(tmp_path: Path) -> None:
    trace = trace_of((0, 1.0, None), (2000, 2.0, None))
    trace.facts += [
        Facts(START_NS + 1, temperature_c=40.0, processes=(11,), throttle_reasons=()),
        Facts(START_NS + 900 * MS, temperature_c=60.0, foreign_processes=(12,)),
    ]
    now = Timeline()
    started_ns = now.now_ns
    meter, (device,) = opened(kept(tmp_path, trace), now)
    assert meter.facts(device).temperature_c is None
    now.sleep(0.5)
    early = meter.facts(device)
    assert (early.temperature_c, early.processes, early.throttle_reasons) == (40.0, None, ())
    assert early.time_ns == started_ns + 1
    now.sleep(0.5)
    assert meter.facts(device).temperature_c == 60.0
    assert meter.facts(device).foreign_processes == (12,)


def test_a_trace_without_facts_beside_it_is_enough(tmp_path: Path) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, None)))
    (tmp_path / "it.facts.parquet").unlink()
    meter, (device,) = opened(path)
    assert meter.facts(device).temperature_c is None
    assert meter.read(device).energy_j == 1.0


@given(
    columns=st.lists(
        st.tuples(
            st.integers(1, 60),
            st.none() | st.floats(0, 1e9),
            st.none() | st.floats(0, 1e4),
        ),
        min_size=1,
        max_size=40,
    ),
    staged=st.booleans(),
)
def test_what_was_kept_is_what_is_replayed(
    columns: Sequence[tuple[int, float | None, float | None]],
    staged: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    at_ms, readings = 0, []
    for step_ms, energy_j, power_w in columns:
        at_ms += step_ms
        readings.append((at_ms, energy_j, power_w))
    path = kept(tmp_path_factory.mktemp("raw"), trace_of(*readings), staged=staged)
    meter, (device,) = opened(path)
    found = [meter.read(device) for _ in readings]
    assert [(r.energy_j, r.power_w) for r in found] == [(e, p) for _, e, p in readings]
    parted = [r.between_ns and r.between_ns - r.before_ns for r in found]
    assert parted == [MS // 4 if at % 2 else None for at, _, _ in readings]
    gaps = [b.before_ns - a.before_ns for a, b in pairwise(found)]
    assert gaps == [step_ms * MS for step_ms, _, _ in columns[1:]]


def test_a_recorded_load_gives_the_same_figures_again(tmp_path: Path) -> None:
    curve = Square(low_w=90.0, high_w=410.0, period_ns=170 * MS, duty=0.4)
    original = recorded(curve, Sensor(refresh_ns=100 * MS), seconds=3.5)
    write_parquet(tmp_path, "it", RawData((original,), ()))
    meter = ReplayMeter(str(tmp_path / "it.trace.parquet"))
    devices = meter.discover()
    with Sampler(meter, devices) as sampler:
        sampler.attend(on=True)
        time.sleep(3.2)
    (replayed,) = sampler.traces
    shift_ns = replayed.before_ns[0] - original.before_ns[0]
    start_ns, end_ns = (original.before_ns[0] + round(s * 1e9) for s in (0.8, 2.3))
    truth = estimate_window(original, start_ns, end_ns)
    again = estimate_window(replayed, start_ns + shift_ns, end_ns + shift_ns)
    assert again.valid
    assert truth.energy_j is not None
    assert truth.uncertainty_j is not None
    assert again.energy_j is not None
    assert again.uncertainty_j is not None
    within_j = math.hypot(truth.uncertainty_j, again.uncertainty_j)
    assert again.energy_j == pytest.approx(truth.energy_j, abs=2 * within_j)
    stamps = {before_ns - shift_ns for before_ns in replayed.before_ns}
    assert stamps <= set(original.before_ns)
    assert len(stamps) == len(replayed)


def test_a_replay_is_chosen_by_its_file_and_says_what_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "raw"
    folder.parent.mkdir()
    path = kept(folder, trace_of((0, 1.0, None)))
    results = tmp_path / "run" / "results"
    results.mkdir()
    (results / "it.json").write_text(json.dumps({"started_at": "2026-02-03T04:05:06.000+00:00"}))
    choice = choose_meter(MeterRequest(f"replay:{path}"))
    assert choice.why == f"replayed from {path}, recorded on NVIDIA L4, 2026-02-03"
    assert (choice.name, choice.measured) == ("replay", True)

    class Clock:
        def cpu_time_s(self) -> float:
            return 0.0

    meters = [choice.open(Clock()) for _ in range(2)]
    assert [meter.read(choice.devices[0]).energy_j for meter in meters] == [1.0, 1.0]


def test_a_replay_will_not_do_where_measurement_is_required(tmp_path: Path) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, None)))
    with pytest.raises(MeterError, match=r"has to be measured, but a replay only repeats"):
        choose_meter(MeterRequest(f"replay:{path}", require_measured=True))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("replay", r"'replay' needs an argument\. Write replay:FILE"),
        ("replay:", r"'replay' needs an argument"),
        ("nvml:0", r"'nvml' takes no argument\. Write 'nvml' alone"),
        ("estimate:", r"'estimate' takes no argument"),
        ("auto:x", r"'auto' takes no argument"),
        ("repaly:x", r"no meter is called 'repaly'\. Did you mean 'replay'"),
    ],
)
def test_only_meters_that_take_an_argument_get_one(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_meter(MeterRequest(name))


def test_two_recordings_at_once_are_one_too_many(tmp_path: Path) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, None)))
    with pytest.raises(ConfigError, match="the meter 'replay' is named twice"):
        choose_meters(MeterRequest(f"replay:{path},replay:{path}"))
    names = [choice.name for choice in choose_meters(MeterRequest(f"replay:{path},estimate"))]
    assert names == ["replay", "estimate"]


def refused(path: Path) -> str:
    with pytest.raises(MeterError) as caught:
        choose_meter(MeterRequest(f"replay:{path}"))
    return str(caught.value)


def test_a_wrong_path_names_what_could_be_replayed(tmp_path: Path) -> None:
    assert "Give a file of a run's raw folder" in refused(tmp_path / "nowhere" / "x.jsonl")
    path = kept(tmp_path, trace_of((0, 1.0, None)))
    for wrong in (tmp_path, tmp_path / "it.facts.parquet", tmp_path / "other.trace.parquet"):
        assert f"such as {path}" in refused(wrong)


@pytest.mark.parametrize("staged", [False, True])
def test_a_file_without_readings_is_refused(tmp_path: Path, staged: bool) -> None:
    assert "holds no readings" in refused(kept(tmp_path, Trace(GPU, "nvml"), staged=staged))


@pytest.mark.parametrize("staged", [False, True])
def test_a_file_cut_anywhere_is_corrupt_and_never_a_traceback(tmp_path: Path, staged: bool) -> None:
    path = kept(tmp_path, trace_of(*((n, float(n), 1.0) for n in range(30))), staged=staged)
    content = path.read_bytes()
    for share in range(8):
        path.write_bytes(content[: len(content) * share // 8])
        assert "is not what pytest-llem wrote" in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        {"before_ns": [START_NS + 9 * MS]},
        {"energy_j": ["many"]},
        {"after_ns": []},
        {"power_w": None},
    ],
)
def test_readings_that_cannot_be_are_corrupt(tmp_path: Path, change: dict[str, Any]) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, 2.0)), staged=True)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[2] |= change
    path.write_text("\n".join(map(json.dumps, lines)))
    assert "is not what pytest-llem wrote" in refused(path)


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = kept(tmp_path, trace_of((0, 1.0, 2.0)), staged=True)
    path.write_text(path.read_text().replace('"version":1', '"version":2'))
    assert "upgrade pytest-llem" in refused(path)


def test_a_foreign_parquet_file_is_no_recording(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "x.trace.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    assert "is not what pytest-llem wrote" in refused(path)
