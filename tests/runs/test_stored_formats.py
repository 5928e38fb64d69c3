"""Files of every version that ever was are read by the code of today."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llem.baselines.kept import kept_verdicts
from pytest_llem.baselines.places import relative_path
from pytest_llem.baselines.store import BaselineStore
from pytest_llem.results.event_log import read_events
from pytest_llem.results.kept_reports import kept_reports
from pytest_llem.results.transitions import read_journal
from pytest_llem.runs.judging import judge_run
from pytest_llem.runs.kept_runs import open_run
from pytest_llem.runs.library import default_settings
from pytest_llem.runs.stored_files import KINDS, read_stored

if TYPE_CHECKING:
    from pytest_llem.results.store import RunStore

TESTS = Path(__file__).parents[1]
SCHEMAS = TESTS.parent / "schemas"
FORMATS = TESTS / "data" / "formats"
FILES = sorted(path for path in FORMATS.iterdir() if path.is_file())


@pytest.fixture
def run(tmp_path: Path) -> RunStore:
    """A run whose every file is of the first version."""
    path = tmp_path / ".llem" / "runs" / "20261121T191830.936Z-80cab3"
    (path / "results").mkdir(parents=True)
    for name in ("manifest.json", "environment.json", "verdicts.json", "journal.jsonl"):
        stem, _, suffix = name.partition(".")
        shutil.copy(FORMATS / f"{stem}.v1.{suffix}", path / name)
    stem = read_journal(path / "journal.jsonl").transitions[-2].result
    assert stem is not None
    shutil.copy(FORMATS / "result.v1.json", path / "results" / f"{stem}.json")
    (path / "reports").mkdir()
    shutil.copy(FORMATS / "reports.v1.json", path / "reports" / f"{stem}.json")
    (path / "raw").mkdir()
    for file in (FORMATS / "raw.v1").iterdir():
        shutil.copy(file, path / "raw" / file.name.replace("chat", stem))
    return open_run(str(path))


def test_every_schema_has_a_file_of_its_version() -> None:
    kept = {path.name.partition(".json")[0] for path in FILES}
    published = {path.name.partition(".schema")[0] for path in SCHEMAS.iterdir()}
    assert published <= kept, "keep one: tests/data/formats"
    assert {f"{kind.name}.v{kind.version}" for kind in KINDS} == published


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_read_and_known_for_what_it_is(path: Path) -> None:
    stored = read_stored(path)
    assert stored is not None
    assert f"{stored.kind.name}.v{stored.version}" == path.name.partition(".json")[0]
    assert all(stored.documents)


def test_a_run_of_version_1_is_read_with_all_that_it_keeps(run: RunStore) -> None:
    (result,) = run.results()
    assert run.problems() == []
    assert (result.node_id, result.outcome) == ("bench/test_chat.py::test_chat[2]", "passed")
    assert result.headline is not None
    assert result.headline.energy_per_output_token_j == pytest.approx(0.04, rel=0.9)
    assert run.manifest().state == "finished"
    assert run.environment().cpu_model == "AMD EPYC"
    verdicts = kept_verdicts(run)
    assert verdicts is not None
    assert len(verdicts.experiments) == 2
    raw = run.raw_of(next(run.entries()).name)
    assert [window.phase for window in raw.marks[0].windows].count("whole") == 3
    assert raw.traces[0].after_ns
    assert {one["when"] for one in kept_reports(run, next(run.entries()).name)} >= {"call"}
    assert len(read_events(FORMATS / "log.v1.jsonl")) == 31


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_baselines_of_every_version_are_read(tmp_path: Path, version: str) -> None:
    stored = read_stored(FORMATS / f"baseline.{version}.json")
    assert stored is not None
    (file,) = stored.documents
    path = tmp_path / relative_path(file.group, file.hardware)
    path.parent.mkdir(parents=True)
    shutil.copy(stored.path, path)
    assert BaselineStore(tmp_path).all() == [file]


def test_a_stored_run_is_judged_against_baselines_of_its_time(
    tmp_path: Path, run: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = read_stored(FORMATS / "baseline.v2.json")
    assert stored is not None
    (file,) = stored.documents
    path = default_settings(tmp_path).baselines / relative_path(file.group, file.hardware)
    path.parent.mkdir(parents=True)
    shutil.copy(stored.path, path)
    (judged,) = judge_run(run.path, ["energy_per_output_token_j:1000%"])
    (judgement,) = judged.judgements
    assert (judged.name, judgement.verdict) == ("bench/test_chat.py::test_chat[2]", "pass")
    assert not judged.failed()
    (ungated,) = judge_run(run.path)
    assert ungated.judgements == ()
