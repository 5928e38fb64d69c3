"""What runs leave behind, damaged: results, manifests, journals, raw data, baselines."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from fuzzing.changing import changed, changes
from fuzzing.places import folder, written
from fuzzing.target import Target
from instruments.examples import RESULT, example_raw
from pytest_llem.baselines.catalogue import SHOWN, catalogue
from pytest_llem.baselines.catalogue import changes as changes_between
from pytest_llem.baselines.elsewhere import source_named
from pytest_llem.baselines.history import histories
from pytest_llem.baselines.kept import VERDICTS, JudgedExperiment, Verdicts, keep_verdicts
from pytest_llem.baselines.pruning import Pruning
from pytest_llem.baselines.store import Baselines, BaselineStore, How
from pytest_llem.devices.recording import recorded
from pytest_llem.errors import LlemError
from pytest_llem.reports.baselines import diff_lines, list_json, list_lines, show_json, show_lines
from pytest_llem.reports.history import history_json, history_lines
from pytest_llem.reports.runs import list_json as runs_json
from pytest_llem.reports.runs import list_lines as runs_lines
from pytest_llem.results.environment import Environment
from pytest_llem.results.event_log import read_events
from pytest_llem.results.listing import stored_runs
from pytest_llem.results.manifest import PlannedExperiment
from pytest_llem.results.store import RunStore
from pytest_llem.runs.accepting import accept_run
from pytest_llem.runs.exporting import export_run
from pytest_llem.runs.forecasting.earlier import EarlierRuns
from pytest_llem.runs.recomputing import recompute_run
from pytest_llem.runs.resuming.choosing import run_to_resume
from pytest_llem.runs.showing import Look, shown_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fuzzing.changing import Steps

ROOT = "runs"
POINT: Any = SimpleNamespace(experiment_id=RESULT.experiment_id, config=RESULT.config)
"""As far as a forecast looks at one."""
EVENTS = (
    b'{"schema_version":1,"monotonic_ns":1,"time":"2026-11-03T14:15:02+00:00","run_id":null,'
    b'"pid":1,"event":"warning","text":"x"}\n'
)
LOOK = Look(width=80, colour=False, unicode=True, verbosity=2)
WHY = How("accept", "to see", 5)
SESSIONS = 5
"""That a baseline has: enough for a change point."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A sound run, and the baseline that was made of it."""

    run: Path
    baseline: Path
    files: dict[str, bytes]
    """What its files hold, by their place below the run."""

    def restore(self, name: str) -> None:
        (self.run / name).write_bytes(self.files[name])


@cache
def kept() -> Kept:
    """A run as it is on disk once it has ended, with its baseline; made once."""
    root = folder(ROOT)
    result = RESULT
    planned = PlannedExperiment(
        experiment_id=result.experiment_id,
        label=result.label,
        config_hash=result.config_hash,
        node_id=result.node_id,
        fingerprint="0" * 16,
    )
    store = RunStore.create(
        root,
        command=["pytest"],
        environment=Environment(),
        planned=[planned],
        settings={"meter": "nvml"},
        sources={},
    )
    journal = store.journal()
    journal.join()
    key = (result.experiment_id, result.node_id, 0)
    journal.running(key)
    path = store.write_result(result.model_copy(update={"run_id": store.run_id}), example_raw())
    journal.finished(key, "passed", path.stem)
    journal.leave()
    keep_verdicts(store, Verdicts(experiments=(JudgedExperiment(result=path.stem),)))
    store.finish(verdicts={"passed": 1})
    accept_run(store.path, root / "baselines", WHY)
    found = (one for one in store.path.rglob("*") if one.is_file())
    files = {one.relative_to(store.path).as_posix(): one.read_bytes() for one in found}
    baseline = next((root / "baselines").rglob("*.json"))
    return Kept(store.path, baseline, files)


def named(part: str) -> str:
    """The file of the run whose place has *part* in it."""
    return next(name for name in kept().files if part in name)


def _each(*doors: Callable[[], object]) -> None:
    """All of them, each of which may refuse."""
    refusals = []
    for door in doors:
        try:
            door()
        except LlemError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def _run(name: str, content: bytes) -> None:
    """Everything that reads a run, with one of its files changed."""
    run, root = kept().run, folder(ROOT)
    (run / name).write_bytes(content)
    try:
        _each(
            lambda: (runs_lines(stored_runs(root)), json.dumps(runs_json(stored_runs(root)))),
            lambda: shown_run(RunStore.open(run), LOOK),
            lambda: recompute_run(run),
            lambda: export_run(run, [f"csv:{folder('exports') / 'x.csv'}"]),
            lambda: run_to_resume(root, run.name, root),
            lambda: _accepted(run),
            lambda: EarlierRuns(root).forecast(POINT, None, None),
        )
    finally:
        kept().restore(name)


def _accepted(run: Path) -> None:
    place = folder("accepted")
    shutil.rmtree(place / "baselines", ignore_errors=True)
    accept_run(run, place / "baselines", WHY)


def _raw(content: bytes) -> None:
    name = named("raw/")
    _run(name, content)
    path = folder("recordings") / Path(name).name
    path.write_bytes(content)
    recorded(path)


def _log(content: bytes) -> None:
    read_events(written("log", "log.jsonl", content))


def _baseline(content: bytes) -> None:
    """Everything that reads baselines."""
    place = folder("changed") / "baselines"
    path = place / kept().baseline.relative_to(folder(ROOT) / "baselines")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    _each(
        lambda: _looked_at(BaselineStore(place)),
        lambda: _looked_at(Baselines(source_named(str(path), place, place))),
        lambda: Pruning(1, history=True).preview(BaselineStore(place)),
        lambda: accept_run(kept().run, place, WHY),
        lambda: BaselineStore(place).find(RESULT, Environment().model_dump(mode="json")),
    )


def _looked_at(baselines: Baselines) -> None:
    found = catalogue(baselines)
    list_lines(found)
    json.dumps(list_json(found))
    for one in found:
        show_lines(one)
        json.dumps(show_json(one))
    for metric in ("energy_per_output_token_j", "duration_s", "power_w"):
        for history in histories(found, metric):
            history_lines(history)
            json.dumps(history_json([history]))
    sound = catalogue(BaselineStore(folder(ROOT) / "baselines"))
    diff_lines(changes_between(sound, found, SHOWN))


DOCUMENTS = ("manifest.json", "environment.json", VERDICTS, "results/")


def _targets() -> Iterator[Target]:
    for part in DOCUMENTS:
        label, name = part.removesuffix(".json").strip("/"), named(part)
        yield from _both(label, partial(_run, name), kept().files[name])
    yield from _line_targets("journal", named("journal"), partial(_run, named("journal")))
    yield from _line_targets("raw", named("raw/"), _raw)
    yield Target("log", _log, seeds=(EVENTS,))
    document = json.loads(kept().baseline.read_bytes())
    for entry in document["entries"].values():
        names = (f"run-{number}" for number in range(SESSIONS))
        entry["sessions"] = [{**entry["sessions"][0], "run_id": name} for name in names]
    yield from _both("baseline", _baseline, json.dumps(document, indent=2).encode())


def _both(label: str, enter: Callable[[bytes], None], sound: bytes) -> Iterator[Target]:
    """Of a JSON document: its bytes, and its values."""
    document = json.loads(sound)
    yield Target(label, enter, seeds=(sound,))

    def values(what: list[tuple[Steps, Any]]) -> None:
        enter(changed(document, what))

    yield Target(f"{label}-values", values, changes(document))


def _line_targets(label: str, name: str, enter: Callable[[bytes], None]) -> Iterator[Target]:
    """Of a file with a JSON document in each line."""
    sound = kept().files[name]
    lines = [json.loads(line) for line in sound.splitlines()]
    yield Target(label, enter, seeds=(sound,))

    def values(what: list[list[tuple[Steps, Any]]]) -> None:
        enter(b"\n".join(changed(line, one) for line, one in zip(lines, what, strict=True)))

    few = st.tuples(*(st.one_of(st.just([]), changes(line)) for line in lines))
    yield Target(f"{label}-values", values, few.map(list))


TARGETS = tuple(_targets())
