"""What is written comes back exactly, whatever it is."""

from __future__ import annotations

import math
import types
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.traffic import TrafficConfig
from pytest_llem.devices.meter import Capability, Device, Facts, Reading
from pytest_llem.energy.marks import Idle, MeasurementMarks, WarmUp
from pytest_llem.energy.model_shape import ModelShape
from pytest_llem.energy.naming import NAME
from pytest_llem.energy.recorded import Recorded
from pytest_llem.energy.sampling.trace import Loss, Trace
from pytest_llem.results.environment import Environment
from pytest_llem.results.manifest import Manifest
from pytest_llem.results.parquet import parquet_paths
from pytest_llem.results.raw import RawData
from pytest_llem.results.schema import ExperimentResult
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CONFIGS = st.builds(
    ExperimentConfig,
    backend=st.sampled_from(["transformers", "vllm"]),
    batch_size=st.integers(1, 1000),
    prompts=st.none() | st.lists(st.text(), min_size=1, max_size=2).map(tuple),
    vllm=st.fixed_dictionaries({"extra": st.dictionaries(st.text(), JSON, max_size=2)}),
)
RECORDED = st.builds(
    Recorded,
    name=st.from_regex(NAME, fullmatch=True).map(str.strip),
    value=FINITE,
    standard_error=st.none() | FINITE.map(abs),
    items=st.none() | st.integers(min_value=1, max_value=1 << 40),
    share=st.booleans(),
    unit=st.sampled_from(["", "%", "ms", "J/answer"]),
    higher_is_better=st.none() | st.booleans(),
)
TRAFFIC = st.builds(
    TrafficConfig,
    rate_per_s=st.none() | st.floats(0.1, 1000),
    burstiness=st.floats(0.01, 1000),
    slo_ttft_s=st.none() | st.floats(0.001, 100),
)
EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def values(annotation: Any, floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    """Anything that a field annotated so may hold."""
    simple = {int: INT64, float: floats, str: st.text(), bool: st.booleans(), Any: JSON}
    if annotation in simple:
        return simple[annotation]
    if annotation is type(None):
        return st.none()
    validated: dict[Any, st.SearchStrategy[Any]] = {
        ExperimentConfig: CONFIGS,
        TrafficConfig: TRAFFIC,
        Recorded: RECORDED,
    }
    if annotation in validated:
        return validated[annotation]
    if isinstance(annotation, type) and issubclass(annotation, tuple):  # with named fields
        hints = get_type_hints(annotation).values()
        return st.tuples(*(values(each, floats) for each in hints)).map(
            lambda all_: annotation(*all_)
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return models(annotation, floats)
    return containers(get_origin(annotation), get_args(annotation), floats)


def containers(origin: Any, of: tuple[Any, ...], floats: Any) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(of)
    if origin in (Union, types.UnionType):
        return st.one_of([values(each, floats) for each in of])
    if origin is dict:
        return st.dictionaries(*(values(each, floats) for each in of), max_size=3)
    assert origin is tuple
    if of[1:] == (...,):
        return st.lists(values(of[0], floats), max_size=3).map(tuple)
    return st.tuples(*(values(each, floats) for each in of))


def models(model: type[BaseModel], floats: Any = FINITE, /, **given: Any) -> st.SearchStrategy[Any]:
    """Instances of *model*, every field drawn by its annotation but those *given*."""
    drawn = {
        name: values(field.annotation, floats)
        for name, field in model.model_fields.items()
        if name not in given
    }
    return st.builds(model, **drawn, **given)


READINGS = st.builds(
    Reading,
    before_ns=INT64,
    after_ns=INT64,
    energy_j=st.none() | st.floats(),
    power_w=st.none() | st.floats(),
)
DEVICES = st.builds(
    Device,
    uuid=st.text(),
    name=st.text(),
    index=st.none() | st.integers(0, 7),
    capability=st.builds(
        Capability,
        scope=st.sampled_from(["gpu", "module", "package", "node", "process"]),
        method=st.sampled_from(["counter", "integrated", "estimated"]),
        resolution_j=st.none() | FINITE,
        update_period_s=st.none() | FINITE,
    ),
)
FACTS = st.builds(
    Facts,
    time_ns=INT64,
    temperature_c=st.none() | st.floats(),
    sm_clock_mhz=st.none() | st.floats(),
    power_limit_w=st.none() | st.floats(),
    throttle_reasons=st.none() | st.lists(st.text(), max_size=3).map(tuple),
    memory_bytes=st.none() | INT64,
    slowed_ns=st.none() | INT64,
    processes=st.none() | st.lists(INT64, max_size=3).map(tuple),
    foreign_processes=st.none() | st.lists(INT64, max_size=3).map(tuple),
    wraps=st.none() | INT64,
    graphics_processes=st.none() | st.lists(INT64, max_size=3).map(tuple),
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    losses = draw(st.lists(st.builds(Loss, INT64, st.none() | INT64, st.text()), max_size=2))
    trace = Trace(draw(DEVICES), draw(st.text()), loss=draw(st.text()), losses=losses)
    for reading in draw(st.lists(READINGS, max_size=5)):
        trace.append(reading)
    trace.facts.extend(draw(st.lists(FACTS, max_size=3)))
    return trace


RAW = st.builds(
    RawData,
    traces=st.lists(traces(), max_size=3).map(tuple),
    marks=st.lists(
        models(
            MeasurementMarks,
            st.floats(),
            model=st.none() | models(ModelShape),
            idle=st.none() | models(Idle),
            warm_up=st.none() | models(WarmUp),
        ),
        max_size=3,
    ).map(tuple),
)


def exact(raw: RawData) -> str:
    """Text that is equal only for equal data, NaN included."""
    return repr(raw)


@EXAMPLES
@given(raw=RAW)
def test_raw_data_comes_back_exactly_in_either_form(
    tmp_path_factory: Any, make_result: Callable[..., ExperimentResult], raw: RawData
) -> None:
    store = fresh_store(tmp_path_factory.mktemp("run"))
    result = make_result()
    store.write_result(result, raw)
    staged = store.raw(result.experiment_id)
    store.compact()
    compacted = store.raw(result.experiment_id)

    assert not list((store.path / "raw").glob("*.jsonl"))
    assert exact(staged) == exact(raw)
    assert exact(compacted) == exact(raw)


@EXAMPLES
@given(result=models(ExperimentResult, repeat=st.integers(0, 3)))
def test_a_result_comes_back_exactly(tmp_path_factory: Any, result: ExperimentResult) -> None:
    store = fresh_store(tmp_path_factory.mktemp("run"))
    store.write_result(result, None)
    assert list(store.results()) == [result]


@EXAMPLES
@given(environment=models(Environment))
def test_an_environment_comes_back_exactly(tmp_path_factory: Any, environment: Environment) -> None:
    root = tmp_path_factory.mktemp("run")
    store = RunStore.create(root, command=[], environment=environment)
    assert store.environment() == environment


@EXAMPLES
@given(manifest=models(Manifest, unreadable=st.none() | st.integers(0), repeats=st.integers(1)))
def test_what_was_planned_comes_back_exactly(tmp_path_factory: Any, manifest: Manifest) -> None:
    store = RunStore.create(
        tmp_path_factory.mktemp("run"),
        command=manifest.command,
        planned=manifest.planned,
        repeats=manifest.repeats,
        shuffle_seed=manifest.shuffle_seed,
        environment=Environment(),
    )
    assert store.manifest().planned == manifest.planned
    assert store.manifest().command == manifest.command
    assert store.manifest().repeats == manifest.repeats
    assert store.manifest().shuffle_seed == manifest.shuffle_seed


def fresh_store(root: Path) -> RunStore:
    return RunStore.create(root, command=[], environment=Environment())


def test_many_readings_come_back_exactly_in_either_form(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    raw, result = make_raw(10_001), make_result()
    store.write_result(result, raw)
    assert exact(store.raw(result.experiment_id)) == exact(raw)
    store.compact()
    assert exact(store.raw(result.experiment_id)) == exact(raw)


@pytest.fixture
def tables(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> dict[str, Path]:
    """The Parquet files of an experiment with two readings, by kind."""
    path = store.write_result(make_result(), make_raw(2))
    store.compact()
    return parquet_paths(store.path / "raw", path.stem)


def test_parquet_columns_explain_themselves(tables: dict[str, Path]) -> None:
    for kind, file in tables.items():
        table = pq.read_table(file)
        assert b"GPU-8f6e0a5c" in table.schema.metadata[b"pytest_llem"]
        assert b'"resolution_j": 0.001' in table.schema.metadata[b"pytest_llem"]
        for field in table.schema:
            assert field.metadata[b"description"]
            unit = field.metadata[b"unit"].decode()
            suffix = {"ns": "_ns", "J": "_j", "W": "_w", "s": "_s", "B": "_bytes", "MHz": "_mhz"}
            assert field.name.endswith(suffix.get(unit, "")), (kind, field.name)


def test_a_missing_value_is_null_for_other_readers(tables: dict[str, Path]) -> None:
    table = pq.read_table(tables["trace"])
    assert table["power_w"].to_pylist() == [None, 100.1]
    assert table["device_uuid"].to_pylist() == ["GPU-8f6e0a5c"] * 2
    assert table["before_ns"].to_pylist() == [0, 50_000_000]


def test_every_fact_has_a_column(tables: dict[str, Path]) -> None:
    columns = pq.read_schema(tables["facts"]).names
    assert columns == ["trace", "device_uuid", *(field.name for field in fields(Facts))]


def test_a_trace_that_still_grows_is_kept_as_far_as_it_came(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    raw, result = make_raw(5), make_result()
    raw.traces[0].before_ns.append(9)  # the sampler is about to append the rest of a reading
    raw.traces[0].energy_j.append(math.nan)
    store.write_result(result, raw)
    assert exact(store.raw(result.experiment_id)) == exact(make_raw(5))
