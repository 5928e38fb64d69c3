"""Figures derived once more from what was kept."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from instruments.examples import example_raw
from pytest_llem.energy.spent import spent_of
from pytest_llem.errors import LlemError, StoreError
from pytest_llem.results.recompute import recompute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llem.energy.marks import MeasurementMarks
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore

    Derive = Callable[[MeasurementMarks, Sequence[Trace]], Measured]
    RawLines = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def derive(make_result: Callable[..., ExperimentResult]) -> Derive:
    """Figures that depend on the trace and the marks: the counter's rise over the windows."""
    (example,) = make_result().measurements

    def derive(marks: MeasurementMarks, traces: Sequence[Trace]) -> Measured:
        (trace,) = traces
        start = trace.before_ns.index(marks.windows[0].start_ns)
        end = trace.before_ns.index(marks.windows[-1].end_ns)
        energy_j = trace.energy_j[end] - trace.energy_j[start]
        return example.model_copy(update={"energy_j": energy_j})

    return derive


@pytest.fixture
def raw_lines() -> RawLines:
    """The lines of the one staged file of a run, or other ones in their place."""

    def lines(store: RunStore, new: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        (path,) = (store.path / "raw").glob("*.jsonl")
        if new is not None:
            path.write_text("\n".join(map(json.dumps, new)))
        return [json.loads(line) for line in path.read_text().splitlines()]

    return lines


@pytest.fixture
def measured_store(
    store: RunStore,
    derive: Derive,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> RunStore:
    """A run with two repeats whose figures came from their raw data."""
    raw = make_raw()
    measured = derive(raw.marks[0], raw.traces)
    for repeat in range(2):
        store.write_result(make_result(repeat=repeat, measurements=(measured,)), raw)
    return store


def test_the_same_estimator_gives_the_same_figures(
    measured_store: RunStore, derive: Derive
) -> None:
    staged = recompute(measured_store, derive)
    measured_store.compact()
    compacted = recompute(measured_store, derive)
    assert staged == compacted
    assert [(each.repeat, each.equal, each.differences) for each in staged] == [
        (0, True, ()),
        (1, True, ()),
    ]
    assert staged[0].fresh == staged[0].stored
    assert staged[0].stored.energy_j == pytest.approx(100.1)


def test_another_estimator_shows_where_figures_differ(
    measured_store: RunStore, derive: Derive
) -> None:
    def double(marks: MeasurementMarks, traces: Sequence[Trace]) -> Measured:
        first = derive(marks, traces)
        window = first.windows[1].model_copy(update={"energy_j": None})
        changes = {"energy_j": 200.0, "windows": (first.windows[0], window), "warnings": ()}
        return first.model_copy(update=changes)

    again = recompute(measured_store, double)[0]
    assert not again.equal
    assert again.fresh is not None
    assert again.fresh.energy_j == 200.0
    energy, windows, warnings = again.differences
    assert energy.startswith("energy_j: stored 100.")
    assert energy.endswith("recomputed 200.0")
    assert windows == "windows[1].energy_j: stored 100.1, recomputed None"
    assert warnings == "warnings: stored ['the example is made up'], recomputed []"


def test_what_was_used_in_all_is_derived_again(
    store: RunStore,
    derive: Derive,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    raw = make_raw()
    spent, measured = spent_of(raw.traces), derive(raw.marks[0], raw.traces)
    assert spent.energy_j is not None
    wrong = spent.model_copy(update={"energy_j": spent.energy_j + 1})
    for repeat, one in enumerate((spent, wrong)):
        store.write_result(make_result(repeat=repeat, measurements=(measured,), spent=one), raw)
    same, other = recompute(store, derive)
    assert same.equal
    (told,) = other.differences
    assert told.startswith("spent.energy_j: stored ")


def test_rounding_is_no_difference(measured_store: RunStore, derive: Derive) -> None:
    def rounded(marks: MeasurementMarks, traces: Sequence[Trace]) -> Measured:
        first = derive(marks, traces)
        assert first.energy_j is not None
        return first.model_copy(update={"energy_j": first.energy_j * (1 + 1e-14)})

    assert all(again.equal for again in recompute(measured_store, rounded))


def test_missing_raw_data_is_told_and_the_others_are_derived(
    measured_store: RunStore, derive: Derive
) -> None:
    (measured_store.path / "raw" / "chat-0123456789abcdef.jsonl").unlink()
    first, second = recompute(measured_store, derive)
    assert first.fresh is None
    assert not first.equal
    assert "there is no raw data called chat-0123456789abcdef" in first.differences[0]
    assert second.equal


def test_an_estimator_that_gives_up_is_told(measured_store: RunStore) -> None:
    def give_up(_: MeasurementMarks, __: Sequence[Trace]) -> Measured:
        raise LlemError("no counter in this trace")

    for again in recompute(measured_store, give_up):
        assert again.differences == ("not derived: no counter in this trace",)


def test_marks_of_another_number_of_measurements_are_told(
    measured_store: RunStore, derive: Derive, make_raw: Callable[..., RawData]
) -> None:
    result = next(measured_store.results())
    twice = result.model_copy(update={"repeat": 7, "measurements": result.measurements * 2})
    measured_store.write_result(twice, make_raw())
    failed = [again for again in recompute(measured_store, derive) if again.repeat == 7]
    assert len(failed) == 2
    for again in failed:
        assert again.differences == ("not derived: there are marks of 1 measurements for 2",)


def test_an_experiment_that_measured_nothing_is_left_out(
    store: RunStore, derive: Derive, make_result: Callable[..., ExperimentResult]
) -> None:
    store.write_result(make_result(measurements=(), outcome="crashed"), None)
    shutil.rmtree(store.path / "raw")
    assert recompute(store, derive) == []


def test_raw_data_that_makes_no_sense_is_told(measured_store: RunStore) -> None:
    def derive(marks: MeasurementMarks, traces: Sequence[Trace]) -> Measured:
        raise ValueError("an infinite resolution\nand more")

    again = recompute(measured_store, derive)
    said = "not derived: its raw data makes no sense (ValueError: an infinite resolution)"
    assert [each.differences for each in again] == [(said,), (said,)]


@pytest.mark.parametrize("column", ["throttle_reasons", "temperature_c", "time_ns"])
def test_facts_that_are_none_are_damage(
    store: RunStore, make_result: Callable[..., ExperimentResult], raw_lines: RawLines, column: str
) -> None:
    path = store.write_result(make_result(), example_raw())
    lines = raw_lines(store)
    lines[-2][column] = [{"not": "a fact"}]
    raw_lines(store, lines)
    with pytest.raises(StoreError, match=r"line 4 is not what it should be"):
        store.raw_of(path.stem)
