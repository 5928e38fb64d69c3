"""Stored files that are not what they should be."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llem.errors import StoreError
from pytest_llem.results.load import load_result
from pytest_llem.results.parquet import parquet_paths
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult


def changed(result: ExperimentResult, *path: str | int, to: Any) -> bytes:
    """The result's JSON with one value changed; ``...`` removes it."""
    document = result.model_dump(mode="json")
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is corrupt: not readable as JSON"),
        (b'{"schema_version": 1, "experiment_id": "ch', "is corrupt: not readable as JSON"),
        (b"\xff\xfe\x00", "is corrupt: not readable as JSON"),
        (b"[" * 100_000, "is corrupt: not readable as JSON"),
        (b"[1, 2]", "is not the result of an experiment: it holds no JSON object"),
        (b"{}", "is not the result of an experiment: it has no schema_version"),
        (b'{"schema_version": "1"}', "is not the result of an experiment: it has no schema_ver"),
        (b'{"schema_version": 1}', "the field experiment_id is missing"),
        (b'{"schema_version": 0}', "the field schema_version should be 1, but is 0"),
    ],
)
def test_a_broken_result_is_named_and_the_others_stay_readable(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    content: bytes,
    problem: str,
) -> None:
    store.write_result(make_result(), None)
    broken = store.path / "results" / "broken.json"
    broken.write_bytes(content)

    assert list(store.results()) == [make_result()]
    (error,) = store.problems()
    assert str(error).startswith(f"{broken} {problem}" if problem.startswith("is") else f"{broken}")
    assert problem in str(error)
    assert str(error).endswith(
        "Restore it from a copy, or move it away and run the experiment again."
    )


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("label",), ..., "the field label is missing"),
        (("mood",), "good", "the field mood is unknown"),
        (("repeat",), "many", 'the field repeat should be a valid integer.*but is "many"'),
        (("outcome",), "great", "the field outcome should be 'passed', 'failed'.*but is \"great\""),
        (
            ("measurements", 0, "windows", 1, "energy_j"),
            [1],
            r"the field measurements\[0\].windows\[1\].energy_j should be a valid number",
        ),
        (("config", "batch_size"), 0, "the field config.batch_size should be greater than"),
        (("config", "batch"), 1, "the field config.batch is unknown"),
        (("measurements", 0, "energy_j"), float("nan"), "energy_j should be a finite number"),
    ],
)
def test_the_first_problem_is_told_in_words(
    tmp_path: Path,
    make_result: Callable[..., ExperimentResult],
    path: tuple[str | int, ...],
    value: Any,
    problem: str,
) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(changed(make_result(), *path, to=value))
    with pytest.raises(StoreError, match=problem) as caught:
        load_result(file)
    assert str(file) in str(caught.value)
    assert "validation error" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_result_of_a_newer_version_asks_for_an_upgrade(
    tmp_path: Path, make_result: Callable[..., ExperimentResult]
) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(changed(make_result(), "schema_version", to=7))
    with pytest.raises(
        StoreError, match=r"written by a newer pytest-llem \(format 7.*pip install --upgrade"
    ):
        load_result(file)


@pytest.mark.parametrize("document", ["manifest", "environment"])
def test_a_broken_manifest_or_environment_leaves_results_readable(
    store: RunStore, make_result: Callable[..., ExperimentResult], document: str
) -> None:
    store.write_result(make_result(), None)
    (store.path / f"{document}.json").write_text("{}")
    again = RunStore.open(store.path)
    assert list(again.results()) == [make_result()]
    with pytest.raises(StoreError, match=rf"{document}.json is not the {document} of a run"):
        getattr(again, document)()


def test_what_is_no_file_is_a_problem_and_nothing_waits_for_it(
    store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    store.write_result(make_result(), None)
    os.mkfifo(store.path / "results" / "pipe.json")
    (store.path / "results" / "directory.json").mkdir()
    (store.path / "results" / "dangling.json").symlink_to("nowhere")
    (store.path / "results" / "notes.txt").write_text("mine")

    assert list(store.results()) == [make_result()]
    problems = [str(problem) for problem in store.problems()]
    assert len(problems) == 3
    assert all("cannot read" in problem for problem in problems)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_result_is_a_store_error_or_harmless(
    tmp_path_factory: Any, make_result: Callable[..., ExperimentResult], data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("damage") / "result.json"
    file.write_bytes(damaged(make_result().model_dump_json().encode(), data))
    try:
        load_result(file)
    except StoreError as error:
        assert str(file) in str(error)  # noqa: PT017  either outcome is right


def damaged(content: bytes, data: st.DataObject) -> bytes:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 50)))
    return content[:start] + data.draw(st.binary(max_size=5)) + content[end:]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_damage_to_raw_data_is_a_store_error_or_harmless(
    tmp_path_factory: Any,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
    data: st.DataObject,
) -> None:
    root = tmp_path_factory.mktemp("damage")
    compacted = data.draw(st.booleans())
    store, files = stored(root, make_result(), make_raw(), compacted=compacted)
    file = data.draw(st.sampled_from(files))
    file.write_bytes(damaged(file.read_bytes(), data))
    try:
        store.raw(make_result().experiment_id)
    except StoreError as error:
        assert str(file) in str(error)  # noqa: PT017  either outcome is right


def stored(
    root: Path, result: ExperimentResult, raw: RawData, *, compacted: bool
) -> tuple[RunStore, list[Path]]:
    """A run with one experiment, and the files that its raw data is in."""
    for name in ("results", "raw"):
        (root / name).mkdir()
    store = RunStore(root)
    path = store.write_result(result, raw)
    if not compacted:
        return store, [root / "raw" / f"{path.stem}.jsonl"]
    store.compact()
    return store, list(parquet_paths(root / "raw", path.stem).values())


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ((b'"pytest-llem raw"', b'"something else"'), r"jsonl is corrupt: line 1 is not"),
        ((b'"version":1', b'"version":2'), "written by a newer pytest-llem"),
        ((b'"readings":50', b'"readings":51'), r"jsonl is corrupt: line 4 is not"),
        ((b'"before_ns":[0,', b'"before_ns":['), r"jsonl is corrupt: line 3 is not"),
        ((b'"measurements":1', b'"measurements":2'), r"jsonl is corrupt: line 6 is not"),
        ((b'"measurements":1', b'"measurements":0'), r"jsonl is corrupt: line 5 is not"),
        ((b'"scope":"gpu"', b'"scope":"moon"'), r"jsonl is corrupt: line 2 is not"),
    ],
)
def test_damaged_staged_data_is_named_and_others_are_compacted(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
    edit: tuple[bytes, bytes],
    problem: str,
) -> None:
    path = store.write_result(make_result(), make_raw())
    store.write_result(make_result(repeat=1), make_raw())
    staged = store.path / "raw" / f"{path.stem}.jsonl"
    content = staged.read_bytes()
    assert edit[0] in content
    staged.write_bytes(content.replace(*edit))

    with pytest.raises(StoreError, match=problem):
        store.raw(make_result().experiment_id)
    with pytest.raises(StoreError, match=problem):
        store.compact()
    assert list((store.path / "raw").glob("*.jsonl")) == [staged]
    assert repr(store.raw(make_result().experiment_id, 1)) == repr(make_raw())


@pytest.mark.parametrize("kind", ["trace", "facts", "marks"])
def test_a_parquet_file_that_is_missing_or_of_another_is_named(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
    kind: str,
) -> None:
    path = store.write_result(make_result(), make_raw())
    store.compact()
    paths = parquet_paths(store.path / "raw", path.stem)
    file = paths.pop(kind)
    file.unlink()
    with pytest.raises(StoreError, match=rf"cannot read .*{kind}.parquet"):
        store.raw(make_result().experiment_id)
    shutil.copy(next(iter(paths.values())), file)
    with pytest.raises(StoreError, match=rf"{kind}.parquet is corrupt"):
        store.raw(make_result().experiment_id)
