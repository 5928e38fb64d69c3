"""A run on disk."""

from __future__ import annotations

import json
import string
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem import __version__
from pytest_llem.errors import StoreError
from pytest_llem.results.environment import Environment
from pytest_llem.results.manifest import PlannedExperiment
from pytest_llem.results.names import LONGEST, repeat_name, safe_name
from pytest_llem.results.root import run_directories
from pytest_llem.results.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.results.raw import RawData
    from pytest_llem.results.schema import ExperimentResult

NOON = datetime(2026, 11, 3, 12, 0, 0, 250_000, tzinfo=UTC)
SCRIPT = Path(__file__).with_name("scripts") / "write_results.py"


def begin(root: Path, **options: object) -> RunStore:
    return RunStore.create(root, command=["pytest"], environment=Environment(), **options)


def test_a_run_says_what_it_set_out_to_do_before_its_first_result(tmp_path: Path) -> None:
    planned = [PlannedExperiment(experiment_id="chat-1", label="1", config_hash="c0ffee")]
    store = RunStore.create(
        tmp_path / ".llem",
        command=["pytest", "bench/", "-k", "a b"],
        environment=Environment(os="Example 1"),
        planned=planned,
        now=lambda: NOON,
    )

    manifest = json.loads((store.path / "manifest.json").read_text())
    assert manifest["schema_version"] == 1
    assert manifest["run_id"] == store.path.name
    assert manifest["tool_version"] == __version__
    assert manifest["command"] == ["pytest", "bench/", "-k", "a b"]
    (first,) = manifest["planned"]
    told = {name: value for name, value in first.items() if value is not None}
    assert told == {"experiment_id": "chat-1", "label": "1", "config_hash": "c0ffee"}
    assert manifest["started_at"] == "2026-11-03T12:00:00.250+00:00"
    assert manifest["finished_at"] is None
    assert manifest["state"] == "running"
    assert manifest["counts"] is None
    assert store.path.parent == tmp_path / ".llem" / "runs"
    assert store.environment() == Environment(os="Example 1")


def test_the_end_of_a_run_is_in_its_manifest(
    store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    for repeat, outcome in enumerate(["passed", "passed", "crashed"]):
        store.write_result(make_result(repeat=repeat, outcome=outcome), None)
    (store.path / "results" / "broken.json").write_text("{")

    store.finish("interrupted", now=lambda: NOON)

    manifest = RunStore.open(store.path).manifest()
    assert manifest.state == "interrupted"
    assert manifest.finished_at == "2026-11-03T12:00:00.250+00:00"
    assert manifest.counts == {"crashed": 1, "passed": 2}
    assert manifest.unreadable == 1
    assert manifest.command == ("pytest", "bench/")


def test_runs_sort_by_the_time_they_began(tmp_path: Path) -> None:
    moments = [NOON, NOON.replace(microsecond=251_000), NOON.replace(year=2027)]
    begun = [begin(tmp_path, now=lambda moment=moment: moment).path for moment in moments]
    assert run_directories(tmp_path) == begun


def test_runs_of_the_same_instant_stay_apart(tmp_path: Path) -> None:
    begun = {begin(tmp_path, now=lambda: NOON).run_id for _ in range(20)}
    assert len(begun) == 20


def test_a_run_whose_name_is_taken_gets_another(tmp_path: Path) -> None:
    names = iter(["taken", "taken", "free"])
    first = begin(tmp_path, name_run=lambda _: next(names))
    second = begin(tmp_path, name_run=lambda _: next(names))
    assert (first.run_id, second.run_id) == ("taken", "free")


def test_there_are_no_runs_where_none_was_begun(tmp_path: Path) -> None:
    assert run_directories(tmp_path / "nowhere") == []


def test_git_leaves_runs_alone(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    begin(tmp_path / ".llem")
    begin(tmp_path / ".llem")
    status = subprocess.check_output(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=tmp_path, text=True
    )
    assert status == ""


def test_files_beside_the_runs_in_a_directory_of_the_user_stay_visible_to_git(
    tmp_path: Path,
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "notes.txt").touch()
    begin(tmp_path)
    status = subprocess.check_output(
        ["git", "status", "--porcelain", "--untracked-files=all"], cwd=tmp_path, text=True
    )
    assert status == "?? notes.txt\n"


def test_a_result_and_its_raw_data_come_back(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    result, raw = make_result(), make_raw()
    path = store.write_result(result, raw)

    again = RunStore.open(store.path)
    assert path == store.path / "results" / f"{result.experiment_id}.json"
    assert list(again.results()) == [result]
    assert again.problems() == []
    assert repr(again.raw(result.experiment_id)) == repr(raw)


def test_repeats_have_files_of_their_own(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    for repeat in range(3):
        store.write_result(make_result(repeat=repeat), make_raw(repeat))
    assert [result.repeat for result in store.results()] == [0, 1, 2]
    experiment_id = make_result().experiment_id
    assert [len(store.raw(experiment_id, repeat).traces[0]) for repeat in range(3)] == [0, 1, 2]


def test_storing_a_repeat_again_keeps_both(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    for readings in range(12):
        store.write_result(make_result(repeat=1, label=str(readings)), make_raw(readings))
    assert {result.label for result in store.results()} == {str(number) for number in range(12)}
    assert len(store.raw(make_result().experiment_id, 1).traces[0]) == 11


def test_experiments_that_differ_in_unsafe_characters_stay_apart(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    ids = ["a/b", "a_b", "a b", "../a", ".a", "ä", "@", "a@r1", "x" * 300, "x" * 301, ""]
    for number, experiment_id in enumerate(ids):
        path = store.write_result(make_result(experiment_id=experiment_id), make_raw(number))
        assert path.parent == store.path / "results"
    assert {result.experiment_id for result in store.results()} == set(ids)
    assert [len(store.raw(experiment_id).traces[0]) for experiment_id in ids] == list(
        range(len(ids))
    )


@given(st.text(), st.integers(min_value=0))
def test_every_experiment_has_a_safe_file_name(experiment_id: str, repeat: int) -> None:
    name = repeat_name(experiment_id, repeat % 100)
    assert set(name) <= set(string.ascii_letters + string.digits + "._-@")
    assert name[0] not in ".-@"
    assert len(name) < LONGEST + 30


@given(st.text(), st.text())
def test_different_experiments_have_different_file_names(first: str, second: str) -> None:
    assert (safe_name(first) == safe_name(second)) == (first == second)


def test_several_writers_lose_nothing(
    store: RunStore,
    make_result: Callable[..., ExperimentResult],
    make_raw: Callable[..., RawData],
) -> None:
    def write(number: int) -> Path:
        result = make_result(label=str(number))
        return RunStore.open(store.path).write_result(result, make_raw(number))

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(write, range(40)))

    assert len(set(paths)) == 40
    for entry in store.entries():
        assert len(store.raw_of(entry.name).traces[0]) == int(entry.result.label)
    assert {result.label for result in store.results()} == {str(number) for number in range(40)}


def test_two_processes_write_two_runs_and_one_run_at_once(
    tmp_path: Path, store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    example = tmp_path / "example.json"
    example.write_text(make_result().model_dump_json())
    root = tmp_path / "both"
    runs = [
        subprocess.Popen([sys.executable, SCRIPT, "new", root, example, "20"]) for _ in range(2)
    ]
    writers = [
        subprocess.Popen([sys.executable, SCRIPT, "same", store.path, example, "20"])
        for _ in range(2)
    ]
    assert [process.wait(60) for process in runs + writers] == [0] * 4

    begun = [RunStore.open(path) for path in run_directories(root)]
    assert [len(list(run.results())) for run in begun] == [20, 20]
    assert len(list(store.results())) == 40
    assert [run.problems() for run in [*begun, store]] == [[], [], []]


def test_the_process_that_measures_loads_neither_numpy_nor_pyarrow(
    tmp_path: Path, make_result: Callable[..., ExperimentResult]
) -> None:
    example = tmp_path / "example.json"
    example.write_text(make_result().model_dump_json())
    loaded = subprocess.check_output(
        [sys.executable, SCRIPT, "modules", tmp_path, example, "1"], text=True
    ).split()
    assert "pytest_llem.results.store" in loaded
    heavy = ("numpy", "pyarrow", "scipy", "pandas", "torch", "transformers")
    assert [name for name in loaded if name.startswith(heavy)] == []


@pytest.mark.parametrize("what", ["missing", "file", "directory"])
def test_what_is_no_run_is_not_opened(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(StoreError, match=rf"{what} is no run of pytest-llem.*Give a directory"):
        RunStore.open(tmp_path / what)


def test_raw_data_of_an_unknown_experiment_is_an_error_that_names_it(store: RunStore) -> None:
    with pytest.raises(StoreError, match="no result of nobody"):
        store.raw("nobody")


def test_a_result_without_raw_data_says_so(
    store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    result = make_result()
    store.write_result(result, None)
    with pytest.raises(StoreError, match=r"no raw data called chat-.*Run the experiment again"):
        store.raw(result.experiment_id)


def test_a_description_that_is_no_json_is_refused_and_leaves_nothing_behind(
    store: RunStore, make_result: Callable[..., ExperimentResult]
) -> None:
    with pytest.raises(StoreError, match="must be JSON values"):
        store.write_result(make_result(engine={"dtype": object()}), None)
    assert list((store.path / "results").iterdir()) == []
