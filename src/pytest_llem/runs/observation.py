"""One experiment under observation: its meter, its traces, its marks, its figures."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llem.devices.assignment import devices_for
from pytest_llem.devices.selection import MeterRequest, choose_cpu_meter
from pytest_llem.devices.server import server_port
from pytest_llem.devices.several import choose_meters
from pytest_llem.energy.derive import derive_measured
from pytest_llem.energy.estimator.window import ESTIMATOR
from pytest_llem.energy.idle import IdleWatch
from pytest_llem.energy.marks import MeasurementMarks, WindowMark
from pytest_llem.energy.model_shape import ModelShape
from pytest_llem.energy.samples import window_sample
from pytest_llem.energy.sampling.sampler import Sampler
from pytest_llem.energy.sampling.samplers import Samplers
from pytest_llem.energy.scopes import groups_of, headline
from pytest_llem.energy.spent import spent_of
from pytest_llem.energy.warm_up.watch import SteadyWatch
from pytest_llem.errors import MeterError
from pytest_llem.isolation.listening import WithServer, listeners
from pytest_llem.isolation.observer import Observer
from pytest_llem.results.schema import DeviceFacts, Methodology, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_llem.config.experiment import ExperimentConfig
    from pytest_llem.devices.meter import Device, Meter
    from pytest_llem.devices.selection import MeterChoice
    from pytest_llem.energy.idle import Known
    from pytest_llem.energy.measured import Measured
    from pytest_llem.energy.sampling.trace import Trace
    from pytest_llem.energy.spent import Spent
    from pytest_llem.isolation.channel import Message
    from pytest_llem.isolation.observer import Awaited
    from pytest_llem.runs.settings import RunSettings


class Instruments:
    """What a run reads energy with: chosen once, opened for each experiment."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._idle: Known = {}
        self.choices: tuple[MeterChoice, ...] = choose_meters(self._request(settings.meter))

    @property
    def choice(self) -> MeterChoice:
        """The meter of the headline."""
        return self.choices[0]

    def devices(self) -> tuple[Device, ...]:
        """All devices of all meters."""
        return tuple(device for choice in self.choices for device in choice.devices)

    def for_experiment(
        self, config: ExperimentConfig, environ: Mapping[str, str] | None = None
    ) -> Instrument:
        """The devices that *config* uses; those of a CPU for one that runs there alone.

        Args:
            config: the experiment.
            environ: environment of the experiment's process; by default this one's.

        Raises:
            ConfigError: the devices that it asks for are not there.
            MeterError: they cannot be measured, or an estimate will not do.
        """
        environ = os.environ if environ is None else environ
        sources = [
            Source(choice, tuple(devices_for(config, choice.devices, environ)))
            for choice in self.choices
        ]
        sources = [source for source in sources if source.devices]
        if not sources:
            choice = choose_cpu_meter(self._request("auto"))
            sources = [Source(choice, choice.devices)]
        port = server_port(config)
        if port is not None:
            _require_seen(config, port, sources)
        return Instrument(
            tuple(sources), self._idle, shared=self._settings.allow_shared, server_port=port
        )

    def _request(self, name: str) -> MeterRequest:
        settings = self._settings
        return MeterRequest(name, settings.require_measured, settings.cpu_watts)


@dataclass(frozen=True, slots=True)
class Source:
    """A meter and those of its devices that an experiment uses."""

    choice: MeterChoice
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Instrument:
    """The meters and the devices of one experiment; the first meter's is the headline."""

    sources: tuple[Source, ...]
    idle: Known = field(default_factory=dict)
    """What is known of idling devices in this run."""
    shared: bool = False
    """Whether others may use the devices meanwhile."""
    server_port: int | None = None
    """Where a server listens that is measured and was started by somebody else."""

    def observe(self, clock: Processes) -> Observation:
        """Begin to read the devices; *clock* knows the experiment's processes."""
        port = self.server_port
        return Observation(self, clock if port is None else WithServer(clock, port))


class Processes(Protocol):
    """The processes of an experiment, and a clock of the CPU time they used."""

    def cpu_time_s(self) -> float: ...

    def members(self) -> Iterable[int]: ...


class Observation:
    """Reads devices from its making until :meth:`close`."""

    def __init__(self, instrument: Instrument, clock: Processes) -> None:
        self._instrument = instrument
        self._read: list[tuple[Meter, Sampler]] = []
        for source in instrument.sources:
            meter = source.choice.open(clock)
            sampler = Sampler(meter, source.devices, own_processes=clock.members)
            self._read.append((meter, sampler))
        self._sampler = Samplers([sampler for _, sampler in self._read])
        self.marks: list[MeasurementMarks] = []
        self.measured: list[Measured] = []
        self._observer: Observer | None = None
        self._idle: IdleWatch | None = None
        self._steady: SteadyWatch | None = None
        self._sampler.start()

    @property
    def traces(self) -> tuple[Trace, ...]:
        return self._sampler.traces

    def observer(
        self, reply: Callable[..., None], heard: Callable[[Message], None] = lambda _: None
    ) -> Observer:
        """Who answers the measured process; *heard* gets what that said of measuring."""
        self._observer = Observer(
            self._sampler,
            self._infer,
            reply,
            self._review,
            self._idle_seen,
            self._steady_seen,
            self._passed,
            self._forget,
            heard,
        )
        return self._observer

    def close(self) -> None:
        self._sampler.stop()
        for meter, sampler in self._read:
            if not sampler.hanging:  # closing would hang as well
                meter.close()

    def _infer(self, marks: dict[str, Any]) -> dict[str, Any]:
        engine = self._observer.engine if self._observer else None
        known = {
            "read_until_ns": self._sampler.read_until_ns(),
            "model": ModelShape.of(engine),
            "idle": self._idle.found if self._idle else None,
            "differences": (engine or {}).get("differences") or (),
        }
        parsed = MeasurementMarks.model_validate({**marks, **known})
        if self._steady is not None and parsed.warm_up is not None:
            warm_up = self._steady.completed(parsed.warm_up)
            parsed = parsed.model_copy(update={"warm_up": warm_up})
        measured = derive_measured(parsed, self._sampler.traces)
        self.marks.append(parsed)
        self.measured.append(measured)
        return measured.model_dump(mode="json")

    def _forget(self) -> None:
        """Of a test that is run again, as it failed, only the last attempt counts."""
        self.marks.clear()
        self.measured.clear()

    def _idle_seen(self, awaited: Awaited, now_ns: int) -> bool:
        if self._idle is None:
            self._idle = IdleWatch(self._sampler, self._instrument.idle, awaited.least_ns)
        return self._idle.done(awaited.since_ns, now_ns)

    def _steady_seen(self, awaited: Awaited, now_ns: int) -> bool:
        if self._steady is None or self._steady.start_ns != awaited.since_ns:
            self._steady = SteadyWatch(self._sampler, awaited.since_ns, awaited.least_ns / 1e9)
        return self._steady.holds(now_ns)

    def _passed(self, end_ns: int) -> None:
        if self._steady is not None:
            self._steady.passed(end_ns)

    def _review(self, windows: list[dict[str, Any]]) -> int:
        """How many windows are invalid; none while a device is lost, as all would be again."""
        marks = [WindowMark.model_validate(window) for window in windows]
        if self._sampler.lost:
            return 0
        traces = headline(self._sampler.traces)
        samples = [window_sample(mark, traces) for mark in marks]
        return sum(not sample.valid for sample in samples)

    def methodology(self) -> Methodology | None:
        """How the figures came about, or ``None`` if nothing was measured."""
        if not self.measured:
            return None
        first, *beside = (self._reading(group) for group in groups_of(self._sampler.traces))
        return Methodology(**dict(first), beside=tuple(beside), shared=self._instrument.shared)

    def spent(self) -> Spent | None:
        """What the devices used from the first reading to the last; ``None`` without readings."""
        try:
            return spent_of(self.traces)
        except MeterError:
            return None

    def _reading(self, group: Sequence[Trace]) -> Reading:
        meter, capability = group[0].meter, group[0].device.capability
        watts = {
            source.choice.name: source.choice.watts_per_core for source in self._instrument.sources
        }
        return Reading(
            meter=meter,
            scope=capability.scope,
            method=capability.method,
            devices=tuple(_facts(trace) for trace in group),
            estimator=ESTIMATOR,
            declared_w_per_core=watts.get(meter),
        )


def _require_seen(config: ExperimentConfig, port: int, sources: Sequence[Source]) -> None:
    """Refuse to estimate a server from the CPU time of processes that cannot be seen.

    Raises:
        MeterError: there is such a server, and an estimate is to be the headline.
    """
    if not sources[0].choice.measured and not listeners(port):
        raise MeterError(
            f"energy would be estimated from CPU time, but no process here can be seen to listen at "
            f"{config.openai.base_url}: it does not run, or belongs to another user, or to a container. "
            "Start it, have openai.command start it, or read devices that measure (--llem-meter)."
        )


def _facts(trace: Trace) -> DeviceFacts:
    limits = [fact.power_limit_w for fact in trace.facts if fact.power_limit_w is not None]
    return DeviceFacts(
        uuid=trace.device.uuid,
        name=trace.device.name,
        index=trace.device.index,
        power_limit_w=limits[-1] if limits else None,
    )
