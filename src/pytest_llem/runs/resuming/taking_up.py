"""Taking a run up again: refused where it would go on as another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llem.errors import ConfigError, StoreError
from pytest_llem.results.names import command_line
from pytest_llem.results.reopening import reopen
from pytest_llem.results.store import RunStore
from pytest_llem.results.turns import own_turn
from pytest_llem.runs.resuming.drift import (
    described,
    drift_of_environment,
    drift_of_mapping,
    drift_of_plan,
    of_another_project,
)
from pytest_llem.runs.resuming.finished import Finished, finished_of
from pytest_llem.runs.resuming.plan import settings_kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llem.results.environment import Environment
    from pytest_llem.results.journal import Journal
    from pytest_llem.results.manifest import Drift, Manifest, PlannedExperiment
    from pytest_llem.runs.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Now:
    """What a session that takes a run up again sets out to do, and where."""

    command: Sequence[str]
    planned: Sequence[PlannedExperiment]
    sources: Mapping[str, str]
    environment: Environment


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A run that goes on."""

    store: RunStore
    journal: Journal
    """Joined."""
    finished: Finished
    drift: tuple[Drift, ...]
    """What has changed, and was accepted."""
    planned: int
    """Experiments of the whole run."""


def take_up(settings: RunSettings, now: Now) -> TakenUp:
    """Go on with the run of *settings*, alone or with other workers of the same session.

    Raises:
        ConfigError: it is another project's, or something has changed, and what.
        StoreError: somebody else goes on with it, or it cannot be read or written.
    """
    assert settings.resume is not None  # noqa: S101 - the caller looked
    store = RunStore.open(settings.resume.path)
    journal = store.journal()
    with own_turn(store.path):
        manifest = store.manifest()
        drift = _checked(store, manifest, settings, now)
        try:
            if not _is_of(manifest, settings.resume.session):
                journal.have_alone()
                manifest = _reopened(store, settings, now, drift)
            journal.join()
        except BaseException:
            journal.let_go()
            raise
    return TakenUp(store, journal, finished_of(store), tuple(drift), len(manifest.planned))


def _reopened(store: RunStore, settings: RunSettings, now: Now, drift: Sequence[Drift]) -> Manifest:
    assert settings.resume is not None  # noqa: S101 - as above
    return reopen(
        store,
        now.command,
        session=settings.resume.session,
        planned=now.planned,
        repeats=settings.repeats,
        drift=drift,
    )


def _is_of(manifest: Manifest, session: str) -> bool:
    """Whether another worker of this session has taken the run up."""
    return bool(manifest.resumptions) and manifest.resumptions[-1].session == session


def _checked(store: RunStore, manifest: Manifest, settings: RunSettings, now: Now) -> list[Drift]:
    if of_another_project(manifest, now.planned):
        raise ConfigError(
            f"run {store.run_id} planned none of the experiments that were collected here: it is "
            f"another project's, or of other tests. It was begun with: {_command(manifest)}"
        )
    drift = [
        *drift_of_plan(manifest, now.planned),
        *drift_of_mapping("settings", manifest.settings, settings_kept(settings)),
        *_of_sources(manifest, now),
        *_of_environment(store, now),
    ]
    if drift and not (settings.resume and settings.resume.anyway):
        raise ConfigError(_refusal(store, manifest, drift))
    return drift


def _of_sources(manifest: Manifest, now: Now) -> list[Drift]:
    """Files that changed or went; of others that were not selected nothing is known."""
    then = manifest.sources
    if then is None:
        return []
    known = {path: digest for path, digest in then.items() if path in now.sources}
    return drift_of_mapping("file", known, {path: now.sources[path] for path in known})


def _of_environment(store: RunStore, now: Now) -> list[Drift]:
    try:
        then = store.environment()
    except StoreError as error:
        raise StoreError(f"{error} Without it nobody can tell whether it changed.") from error
    return drift_of_environment(then, now.environment)


def _refusal(store: RunStore, manifest: Manifest, drift: Sequence[Drift]) -> str:
    changes = "\n".join(f"  {line}" for line in described(drift))
    return (
        f"run {store.run_id} cannot go on as it began, since something has changed:\n{changes}\n"
        "Undo that, begin anew without --llem-resume, or mix what was with what is by "
        f"--llem-resume-anyway. The run was begun with: {_command(manifest)}"
    )


def _command(manifest: Manifest) -> str:
    return command_line(manifest.command)
