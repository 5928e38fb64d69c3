"""The ``energy`` fixture's object."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from pytest_llem.engines.served import Streams
from pytest_llem.errors import ConfigError, LlemError, MeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.recorded import Recorded
    from pytest_llem.engines.engine import Session
    from pytest_llem.measure.link import SupervisorLink
    from pytest_llem.measure.work import Load, Loads, Work

WORKLOAD = "workload"


@runtime_checkable
class Generates(Protocol):
    """What tells an engine session from a function."""

    def generate(self, requests: Any) -> Any: ...


class Energy:
    """Measures energy within one experiment.

    Every figure comes from the supervising process, which reads the devices.
    """

    def __init__(self, link: SupervisorLink, config: dict[str, Any]) -> None:
        self.link = link
        self._json = config
        self._config: ExperimentConfig | None = None
        self._names: set[str] = set()
        self._recorded: set[str] = set()

    @property
    def config(self) -> ExperimentConfig:
        """The experiment as it was asked for."""
        if self._config is None:
            from pytest_llem.config.experiment import ExperimentConfig

            self._config = ExperimentConfig.model_validate(self._json)
        return self._config

    def measure(
        self,
        subject: Session | Callable[[], object],
        *,
        work: Work | dict[str, int] | None = None,
        name: str | None = None,
    ) -> Measured:
        """Warm *subject* up until it is steady, then measure windows of it.

        Args:
            subject: the ``model`` fixture, which runs the experiment's workload, or
                any function without arguments, which is one pass of the work.
            work: what one call of a function does: ``requests``, ``input_tokens``,
                ``output_tokens``. Without it, figures per token are ``None``.
            name: what to call the measurement; needed for a second one in a test.

        Raises:
            ConfigError: the arguments do not fit together.
            MeterError: the device could not be read.
        """
        __tracebackhide__ = True
        from pytest_llem.measure.drive import Driver
        from pytest_llem.measure.work import Loads

        is_session = isinstance(subject, Generates)
        label = self._claim(name or (WORKLOAD if is_session else _name_of(subject)))
        if is_session:
            if work is not None:
                raise ConfigError("work= is for functions; a model's work is the experiment's own.")
            kind, loads = "workload", self._workload(cast("Session", subject))
        else:
            kind, loads = "callable", Loads(_callable(subject, work))
        try:
            marks = Driver(self.config.measurement, self.link).measure(label, kind, loads)
        finally:
            loads.end()
        if loads.traffic:
            from pytest_llem.measure.traffic import resolved

            marks = marks.model_copy(update={"traffic": resolved(self.config)})
        return self._figures(marks.model_dump(mode="json"))

    @contextmanager
    def window(self, name: str, *, work: Work | dict[str, int] | None = None) -> Iterator[Window]:
        """Measure the body of a ``with`` statement as one window, without warm-up.

        The figures are there when the statement has ended. It begins right after the
        counter has refreshed, so that its start is known well. Nothing keeps running across
        its end, so the uncertainty is larger than that of :meth:`measure`.
        """
        from pytest_llem.energy.marks import MeasurementMarks, WindowMark

        label = self._claim(name)
        window = Window(label)
        self.link.begin()
        self.link.phase(f"window {label}")
        self.link.ask("refreshed", time.monotonic_ns())
        self.link.wait()
        start_ns = time.monotonic_ns()
        yield window
        end_ns = time.monotonic_ns()
        self.link.ask("settled", end_ns)
        self.link.wait()
        one = _declared(work).passed(start_ns, end_ns)
        mark = WindowMark(phase="whole", index=0, start_ns=start_ns, end_ns=end_ns, passes=(one,))
        marks = MeasurementMarks(
            name=label, kind="window", warm_up=None, windows=(mark,), load_end_ns=end_ns
        )
        window._measured = self._figures(marks.model_dump(mode="json"))  # noqa: SLF001

    def record(
        self,
        name: str,
        value: float | Iterable[float],
        *,
        unit: str = "",
        higher_is_better: bool | None = None,
    ) -> Recorded:
        """Keep a figure of the test's own with the result, as the metric ``quality.NAME``.

        A single number is taken as exact. Of several, one an item (an answer, a sample), the mean
        is kept with its standard error, so that a gate knows how sure it is; ``True`` and ``False``
        are 1 and 0, and the mean is the share of what was right. The items themselves are not kept.
        It may be called before, after and without a measurement, but not within what is measured.

        Args:
            name: letters, digits, ``_``, ``-`` and ``.``, such as ``accuracy``; once in a test.
            value: a finite number, or an iterable of them: a list, an array, a generator.
            unit: what it is in; empty for shares and plain numbers.
            higher_is_better: which direction is better. ``None`` goes by the name where everybody
                knows (``accuracy``, ``perplexity``); else a rule with a tolerance has to say.

        Returns:
            What was kept, with its ``value`` and ``uncertainty``.

        Raises:
            ConfigError: the name is none, or was recorded before; a value is no finite number.
        """
        __tracebackhide__ = True
        from pytest_llem.measure.recording import recording

        try:
            found = recording(name, value, unit, higher_is_better, self._recorded)
        except ConfigError as error:
            raise error.with_traceback(None) from None
        self._recorded.add(found.name)
        self.link.recorded(found.model_dump(mode="json"))
        return found

    def _claim(self, name: str) -> str:
        if name in self._names:
            raise ConfigError(
                f"this test already measured something called {name!r}; "
                "give the second one a name: energy.measure(…, name='…')."
            )
        self._names.add(name)
        return name

    def _workload(self, session: Session) -> Loads:
        __tracebackhide__ = True
        from pytest_llem.measure.traffic import TrafficWork
        from pytest_llem.measure.workload import EngineWork, workload_of

        work: EngineWork | TrafficWork
        try:
            if isinstance(session, Streams):
                work = TrafficWork.of(self.config, session)
            else:
                self._refuse_traffic()
                work = workload_of(self.config, session)
        except LlemError as error:
            raise error.with_traceback(None) from None
        self.link.workload(work.described())
        return work.loads(self.config.measurement)

    def _refuse_traffic(self) -> None:
        from pytest_llem.config.traffic import TrafficConfig

        if self.config.traffic != TrafficConfig():
            raise ConfigError(
                f"traffic is for servers, and backend={self.config.backend!r} takes batches. Leave "
                "traffic out, or use backend='openai'."
            )

    def _figures(self, marks: dict[str, Any]) -> Measured:
        from pytest_llem.energy.measured import Measured

        return Measured.model_validate(self.link.measured(marks))


class Window:
    """A window of ``energy.window``; its figures are those of :class:`Measured`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._measured: Measured | None = None

    @property
    def measured(self) -> Measured:
        """The figures.

        Raises:
            MeterError: the ``with`` statement has not ended.
        """
        if self._measured is None:
            raise MeterError(f"window {self.name!r} has no figures before its 'with' has ended.")
        return self._measured

    def __getattr__(self, name: str) -> Any:
        return getattr(self.measured, name)


def _name_of(function: object) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "callable" if name == "<lambda>" else str(name)


def _declared(work: Work | dict[str, int] | None) -> Work:
    from pytest_llem.measure.work import Work

    if isinstance(work, dict):
        try:
            return Work(**work)
        except TypeError:
            raise ConfigError(
                f"work={work!r}: known are requests, input_tokens and output_tokens."
            ) from None
    return work or Work()


def _callable(subject: object, work: Work | dict[str, int] | None) -> Load:
    from pytest_llem.measure.work import callable_load

    if not callable(subject):
        raise ConfigError(
            f"energy.measure() takes the model fixture or a function, not {type(subject).__name__}."
        )
    return callable_load(subject, _declared(work))
