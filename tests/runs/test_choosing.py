"""Which run is taken up again, and when it is refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.experiment import ExperimentConfig
from pytest_llem.config.identity import config_hash
from pytest_llem.errors import ConfigError, StoreError
from pytest_llem.plan.point import Point
from pytest_llem.results.environment import Environment
from pytest_llem.results.store import RunStore
from pytest_llem.runs.resuming.choosing import latest_run, run_named, run_to_resume
from pytest_llem.runs.resuming.options import LATEST
from pytest_llem.runs.resuming.plan import planned_experiments, settings_kept, sources_of
from pytest_llem.runs.resuming.taking_up import Now, TakenUp, take_up
from pytest_llem.runs.settings import Resume, RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "bench/test_chat.py::test_chat"


def point(label: str, **fields: Any) -> Point:
    config = ExperimentConfig(**fields)
    return Point(GROUP, label, config, config_hash(config))


POINTS = [point("a", batch_size=1), point("b", batch_size=2)]


@pytest.fixture
def settings(tmp_path: Path) -> RunSettings:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "test_chat.py").write_text("def test_chat(energy): pass\n")
    (tmp_path / "conftest.py").write_text("")
    root = tmp_path / ".llem"
    return RunSettings(project=tmp_path, runs=root, baselines=tmp_path / "b", repeats=2)


def begin(settings: RunSettings, **options: Any) -> RunStore:
    return RunStore.create(
        settings.runs,
        command=["pytest", "bench/"],
        environment=Environment(os="Example 1"),
        planned=planned_experiments(POINTS, settings, of_pytest=True),
        settings=settings_kept(settings),
        sources=sources_of(POINTS, settings.project),
        **options,
    )


def now(settings: RunSettings, *points: Point, **environment: Any) -> Now:
    planned = planned_experiments(points or POINTS, settings, of_pytest=True)
    sources = sources_of(points or POINTS, settings.project)
    return Now(["pytest"], planned, sources, Environment(os="Example 1", **environment))


def going_on(settings: RunSettings, store: RunStore, **resume: Any) -> RunSettings:
    return replace(settings, resume=Resume(store.path, **resume))


@pytest.fixture
def taken() -> Iterator[list[TakenUp]]:
    """Runs to be left when the test is over."""
    runs: list[TakenUp] = []
    yield runs
    for run in runs:
        run.journal.leave()


def test_the_latest_run_that_did_not_end_is_taken(settings: RunSettings) -> None:
    noon = dt.datetime(2026, 11, 3, 12, tzinfo=dt.UTC)
    first, second, third = (
        begin(settings, now=lambda day=day: noon + dt.timedelta(days=day)) for day in range(3)
    )
    assert latest_run(settings.runs).path == third.path
    third.finish()
    second.finish("interrupted")
    assert run_to_resume(settings.runs, LATEST, Path()).path == second.path
    second.finish()
    (third.path / "manifest.json").write_text("{")
    assert run_to_resume(settings.runs, LATEST, Path()).path == first.path


def test_where_there_is_none_what_was_passed_over_is_said(settings: RunSettings) -> None:
    with pytest.raises(ConfigError, match="there are none"):
        run_to_resume(settings.runs, LATEST, Path())
    store = begin(settings)
    store.finish()
    with pytest.raises(ConfigError, match=r"all 1 have ended.*--llem-resume=RUN --llem-repeats=K"):
        run_to_resume(settings.runs, LATEST, Path())
    path = store.path / "manifest.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(ConfigError, match=r"Passed over: .*newer pytest-llem.*Upgrade"):
        run_to_resume(settings.runs, LATEST, Path())


def test_a_run_that_goes_on_is_not_taken(settings: RunSettings) -> None:
    store = begin(settings)
    journal = store.journal()
    journal.join()
    with pytest.raises(ConfigError, match="is in use by process"):
        run_to_resume(settings.runs, LATEST, Path())
    with pytest.raises(StoreError, match="is in use by process"):
        run_to_resume(settings.runs, store.run_id, Path())
    with pytest.raises(StoreError, match="is in use by process"):
        take_up(going_on(settings, store), now(settings))
    journal.leave()
    assert run_to_resume(settings.runs, LATEST, Path()).path == store.path


def test_a_run_is_named_by_directory_id_or_the_beginning_of_it(settings: RunSettings) -> None:
    store = begin(settings)
    for name in (str(store.path), store.run_id, store.run_id[:-2]):
        assert run_named(settings.runs, name, settings.project).path == store.path
    begin(settings)
    with pytest.raises(ConfigError, match="is how 2 runs begin"):
        run_named(settings.runs, "20", settings.project)
    with pytest.raises(ConfigError, match=r"'bench/test_chat.py' is no run.*OPTION=RUN"):
        run_named(settings.runs, "bench/test_chat.py", settings.project)


def test_workers_of_one_session_take_a_run_up_together_and_others_do_not(
    settings: RunSettings, taken: list[TakenUp]
) -> None:
    store = begin(settings)
    together = going_on(settings, store)
    taken += [take_up(together, now(settings)) for _ in range(3)]
    assert len(store.manifest().resumptions) == 1
    assert store.manifest().repeats == 2
    with pytest.raises(StoreError, match="is in use"):
        take_up(going_on(settings, store), now(settings))


def test_a_run_of_another_project_is_refused_whatever_is_accepted(settings: RunSettings) -> None:
    store = begin(settings)
    with pytest.raises(ConfigError, match=r"planned none of .* begun with: pytest bench/"):
        take_up(going_on(settings, store, anyway=True), now(settings, point("z", batch_size=9)))


def test_everything_that_drifted_is_listed_at_once(
    settings: RunSettings, taken: list[TakenUp]
) -> None:
    store = begin(settings)
    (settings.project / "conftest.py").write_text("# changed\n")
    changed = replace(settings, meter="estimate")
    here = now(settings, point("a", batch_size=4), POINTS[1], threads=3)
    with pytest.raises(ConfigError) as refused:
        take_up(going_on(changed, store), here)
    for line in (
        f"{GROUP}[a]: batch_size: 1 → 4",
        "settings.meter: auto → estimate",
        "file.conftest.py: ",
        "environment.threads: none → 3",
    ):
        assert line in str(refused.value)
    taken.append(take_up(going_on(changed, store, anyway=True), here))
    (again,) = store.manifest().resumptions
    assert len(again.drift) == len(taken[0].drift) == 4
    assert [one.label for one in store.manifest().planned] == ["a", "b"]


def test_without_its_environment_nobody_can_tell_what_changed(settings: RunSettings) -> None:
    store = begin(settings)
    (store.path / "environment.json").unlink()
    with pytest.raises(StoreError, match="Without it nobody can tell"):
        take_up(going_on(settings, store), now(settings))


def test_a_run_that_was_deleted_is_said(settings: RunSettings) -> None:
    store = begin(settings)
    store.path.rename(store.path.with_name("gone"))
    with pytest.raises(StoreError, match="is no run of pytest-llem"):
        take_up(going_on(settings, store), now(settings))
