"""The log of one run (``--llem-log``), as those who conduct it speak to it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_llem._version import __version__
from pytest_llem.errors import LlemError
from pytest_llem.results.event_log import EventLog
from pytest_llem.runs.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llem.isolation.exclusive.leases import Obstacle
    from pytest_llem.plan.point import Point
    from pytest_llem.results.schema import ExperimentResult
    from pytest_llem.results.store import RunStore
    from pytest_llem.runs.settings import RunSettings


class RunLog:
    """What happens in a run, and to whom; without a path it costs nothing."""

    def __init__(self, settings: RunSettings, tell: Callable[[str], object]) -> None:
        """*tell* gets why the log had to end.

        Raises:
            ConfigError: it cannot be written.
        """
        self._settings = settings
        self._log = EventLog(settings.log, tell)
        self._now: Witness | None = None

    def add(self, event: str, **fields: Any) -> None:
        """Something happened to the run."""
        self._log.add(event, **fields)

    def began(self, store: RunStore, command_line: Sequence[str], meters: Sequence[str]) -> None:
        """This process conducts experiments of the run in *store*."""
        self.goes_on(store)
        self.add(
            "run_started",
            directory=store.path,
            tool_version=__version__,
            command=command_line,
            meters=meters,
            isolation=self._settings.isolation,
            repeats=self._settings.repeats,
            shuffle_seed=self._settings.shuffle_seed,
        )

    def goes_on(self, store: RunStore) -> None:
        """What is told from now on is of the run in *store*."""
        self._log.run_id = store.run_id

    def collected(self, points: Sequence[Point]) -> None:
        """These are to be measured."""
        configs = [(point, point.config) for point in points if point.config is not None]
        engines = dict.fromkeys(config.backend for _, config in configs)
        ids = [point.experiment_id for point, _ in configs]
        self.add("collected", experiments=ids, engines=list(engines))

    @contextmanager
    def witnessed(self, point: Point, node_id: str | None, repeat: int) -> Iterator[Witness]:
        """Who tells what becomes of one process of *point* while the body runs it."""
        assert point.config is not None  # noqa: S101 - invalid points are never conducted
        self._now = witness = self.witness(point, node_id, repeat)
        witness.queued(point.config.backend, point.config.model)
        try:
            yield witness
        except LlemError as error:
            witness.failed(f"{type(error).__name__}: {error}")
            raise
        except BaseException:
            witness.interrupted()
            raise
        finally:
            self._now = None

    def witness(self, point: Point, node_id: str | None, repeat: int) -> Witness:
        """Who tells something more of one process of *point*."""
        return Witness(self._log, point.experiment_id, node_id, repeat)

    def witness_of(self, result: ExperimentResult) -> Witness:
        """Who tells what else becomes of a process that has ended."""
        return Witness(self._log, result.experiment_id, result.node_id, result.repeat)

    def hearing(self, tell: Callable[[str], None]) -> Callable[[str], None]:
        """*tell*, and the log hears it as a warning."""

        def tell_and_log(text: str) -> None:
            if self._now is None:
                self.add("warning", text=text)
            else:
                self._now.warned(text)
            tell(text)

        return tell_and_log

    def hearing_of_waiting(
        self, tell: Callable[[str, Obstacle], None]
    ) -> Callable[[str, Obstacle], None]:
        """*tell*, and the log hears who waits."""

        def tell_and_log(text: str, obstacle: Obstacle) -> None:
            if self._now is not None:
                self._now.waiting(text)
            tell(text, obstacle)

        return tell_and_log

    def close(self) -> None:
        """Write what is left."""
        self._log.close()
