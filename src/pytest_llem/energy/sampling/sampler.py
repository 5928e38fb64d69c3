"""The sampler: a thread of the supervising process that reads devices into traces."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Self

from pytest_llem.devices.meter import Facts
from pytest_llem.energy.sampling.looks import finite, told_apart
from pytest_llem.energy.sampling.station import Station
from pytest_llem.errors import MeterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from pytest_llem.devices.meter import Device, Meter
    from pytest_llem.energy.sampling.trace import Trace

FACTS_PERIOD_NS, FACTS_ATTENDED_NS = 1_000_000_000, 250_000_000
"""How often slow values are read, at rest and while a measurement runs."""
FACTS_SHARE = 0.25
"""Of the time, slow values may take so much, lest readings starve where the driver is slow."""
RETRY_NS = 1_000_000_000
"""How often a lost device is asked whether it is back."""
IDLE_NS = 100_000_000
"""How long the thread sleeps when no device is left to read."""
HANGING_NS = 2_000_000_000
"""A driver's call that has not come back for so long may never do so."""
STOP_S = 5.0
"""How long the end of the call under way is waited for at the end."""


class Sampler:
    """Reads devices from :meth:`start` to :meth:`stop`.

    The thread only follows what :meth:`step` says, so that a simulation can drive
    the same code in virtual time. A device that fails is asked once a second whether it
    is back; the others go on being read.
    """

    def __init__(
        self,
        meter: Meter,
        devices: Sequence[Device],
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        own_processes: Callable[[], Iterable[int]] | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            meter: what reads the devices.
            devices: which of them.
            clock: instants, in nanoseconds.
            own_processes: those of the experiment now, to tell others on its devices.
        """
        self._meter, self._clock, self._own_processes = meter, clock, own_processes
        self._stations = [Station(device, meter) for device in devices]
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._left: threading.Thread | None = None
        self._attending = False
        self._stopping = False
        self._unknown: set[str] = set()
        self.failure: MeterError | None = None
        """The first device that could not be read any more, or ``None``."""

    @property
    def lost(self) -> bool:
        """Whether a device cannot be read now."""
        self._notice_hanging()
        return any(station.lost for station in self._stations)

    @property
    def hanging(self) -> bool:
        """Whether the thread is still in a driver's call that it could not be stopped in."""
        return self._left is not None and self._left.is_alive()

    @property
    def traces(self) -> tuple[Trace, ...]:
        return tuple(station.trace for station in self._stations)

    def start(self) -> None:
        """Begin to read, in a thread of its own; a second start changes nothing."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="llem-sampler", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End reading; the traces stay.

        A thread that hangs in a driver's call is left behind: what it reads is not kept.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping = True
            self._wake.set()
            thread.join(STOP_S)
            self._left = thread

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def attend(self, on: bool) -> None:
        """Read closely (``True``), or only now and then (``False``)."""
        self._attending = on
        self._wake.set()

    def read_until_ns(self) -> int | None:
        """The instant up to which every device has been read; ``None`` before the first reading.

        Devices that were lost do not hold it back.
        """
        self._notice_hanging()
        ends = [
            station.trace.after_ns[len(station.trace) - 1]
            for station in self._stations
            if len(station.trace) and not station.lost
        ]
        return min(ends, default=None)

    def settled_after(self, time_ns: int) -> bool:
        """Whether enough was read of every device to tell its energy up to *time_ns*."""
        self._notice_hanging()
        return all(station.settled_after(time_ns) for station in self._stations)

    def refreshed_after(self, time_ns: int) -> bool:
        """Whether one of the devices was seen to refresh since *time_ns*."""
        return any(station.refreshed_after(time_ns) for station in self._stations)

    def refresh_period_s(self, device: Device) -> float | None:
        """Observed refresh period of the device's counter; ``None`` while it is unknown."""
        stations = {station.trace.device.uuid: station for station in self._stations}
        return stations[device.uuid].schedule.period_s

    def latest_power_w(self) -> float | None:
        """Power now, summed over devices of the first one's scope; ``None`` if one is unknown."""
        scopes = [station.trace.device.capability.scope for station in self._stations]
        stations = [
            station
            for station, scope in zip(self._stations, scopes, strict=True)
            if scope == scopes[0]
        ]
        powers = [station.power_w() for station in stations]
        known = [power for power in powers if power is not None]
        return math.fsum(known) if known and len(known) == len(powers) else None

    def step(self) -> int:
        """Read what is due; the instant at which something is due next."""
        for station in self._stations:
            if self._clock() >= station.due_ns:
                self._read(station)
        waiting = [station.due_ns for station in self._stations]
        return min(waiting, default=self._clock() + IDLE_NS)

    def _read(self, station: Station) -> None:
        trace = station.trace
        try:
            station.asked_ns = self._clock()
            if station.asked_ns >= station.facts_due_ns:
                self._read_facts(station)
            station.asked_ns = self._clock()
            reading = self._meter.read(trace.device)
        except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
            self._lose(station, error)
            return
        station.asked_ns = None
        if self._stopping:
            return
        trace.append(reading)
        trace.regain(reading.after_ns)
        station.lost = False
        station.due_ns = station.schedule.next_poll(self._clock(), trace)

    def _notice_hanging(self) -> None:
        """Take devices for lost whose driver has not answered for long, until it does."""
        for station in self._stations:
            asked_ns = station.asked_ns
            if asked_ns is None or self._clock() - asked_ns < HANGING_NS:
                continue
            station.lost = True
            seconds = (self._clock() - asked_ns) / 1e9
            station.trace.lose(
                asked_ns,
                f"the driver has not answered for {seconds:.0f} s. Look at the kernel log "
                "(`dmesg`); it or the machine may need a restart.",
            )

    def _read_facts(self, station: Station) -> None:
        period_ns = FACTS_ATTENDED_NS if self._attending else FACTS_PERIOD_NS
        began_ns = self._clock()
        station.facts_due_ns = began_ns + period_ns
        station.trace.facts.append(self._facts(station))
        station.facts_read_ns = began_ns
        took_ns = self._clock() - began_ns
        station.facts_due_ns = began_ns + max(period_ns, round(took_ns / FACTS_SHARE))

    def _facts(self, station: Station) -> Facts:
        """Slow values now; unknown where the meter fails to ask, which is said the first time."""
        try:
            facts = self._meter.facts(station.trace.device)
        except Exception as error:  # noqa: BLE001 - whatever a vendor's library raises
            self._say_unknown(station, error)
            return Facts(self._clock())
        own = None if self._own_processes is None else set(self._own_processes())
        return finite(facts) if own is None else told_apart(finite(facts), own)

    def _say_unknown(self, station: Station, error: Exception) -> None:
        uuid = station.trace.device.uuid
        if uuid not in self._unknown:
            self._unknown.add(uuid)
            logging.getLogger("pytest_llem").warning(
                "%s does not tell temperature, clocks, throttling and processes: %s: %s",
                uuid,
                type(error).__name__,
                error,
            )

    def _lose(self, station: Station, error: Exception) -> None:
        asked_ns, station.asked_ns = station.asked_ns or self._clock(), None
        station.lost = True
        station.due_ns = self._clock() + RETRY_NS
        uuid = station.trace.device.uuid
        lost = f"{uuid} cannot be read any more: {type(error).__name__}: {error}"
        station.trace.lose(asked_ns, str(error) if isinstance(error, MeterError) else lost)
        if self.failure is None:
            self.failure = error if isinstance(error, MeterError) else MeterError(lost)

    def _run(self) -> None:
        while not self._stopping:
            self.obey()
            wait_ns = self.step() - self._clock()
            if wait_ns > 0 and self._wake.wait(wait_ns / 1e9):
                self._wake.clear()
        with contextlib.suppress(Exception):
            for station in self._stations:
                if not station.lost:
                    station.trace.facts.append(self._facts(station))

    def obey(self) -> None:
        for station in self._stations:
            if station.schedule.attending != self._attending:
                station.schedule.attend(self._attending)
                station.due_ns = station.facts_due_ns = 0
