"""A recorded trace, played back in real time as if its devices were read now."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pytest_llem.devices.meter import Device, Facts, Reading
from pytest_llem.devices.recording import recorded
from pytest_llem.errors import MeterError
from pytest_llem.paths import expanded

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llem.devices.recording import Recorded, Recording

PREFIX, SUFFIX = "replay:", " (replayed)"
HOLE_NS = 500_000_000
"""A recording without a reading for longer had lost its device; it is lost again then."""


@dataclass(slots=True)
class Play:
    """How far one recording has been played."""

    recording: Recording
    given: int = -1
    """Number of the last reading that was given."""


class ReplayMeter:
    """Gives each reading of a recording once, when its time has come.

    Playing begins with the first look; the stamps are those of the recording, moved to now.
    A reader that looks more often than was read waits for the next reading; one that looks
    more seldom misses some. After its last reading a device is lost: nothing is repeated.

    Args:
        path: a file of a run's ``raw`` folder.
        clock: instants, in nanoseconds.
        sleep: waits so many seconds.
    """

    name: ClassVar[str] = "replay"
    api_version: ClassVar[int] = 1
    argument: ClassVar[str] = "FILE"

    def __init__(
        self,
        path: str,
        clock: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = expanded(path)
        self._clock, self._sleep = clock, sleep
        self._plays: dict[str, Play] = {}
        self._first_ns = 0
        self._offset_ns: int | None = None
        self.account: str | None = None
        """One line about the recording, for the head of the report."""

    def discover(self) -> list[Device]:
        """The devices that were recorded, under names and UUIDs that say so.

        Raises:
            MeterError: there is nothing to replay.
        """
        found = recorded(self._path)
        self._plays = {PREFIX + one.device.uuid: Play(one) for one in found.recordings}
        self._first_ns = min(one.before_ns[0] for one in found.recordings)
        self._offset_ns = None
        self.account = _account(found)
        return [_replayed(one.device) for one in found.recordings]

    def read(self, device: Device) -> Reading:
        """The next reading of the recording, once its time has come.

        Raises:
            MeterError: the recording has ended, or has nothing here.
        """
        play = self._play(device)
        offset_ns = self._offset()
        after_ns = play.recording.after_ns
        due = bisect_right(after_ns, self._clock() - offset_ns) - 1
        if due <= play.given:
            due = play.given + 1
            self._wait_for(play.recording, due, offset_ns)
        play.given = due
        return _reading(play.recording, due, offset_ns)

    def facts(self, device: Device) -> Facts:
        """The latest that was recorded by now, but for processes, which are long gone."""
        facts = self._play(device).recording.facts
        offset_ns = self._offset()
        past = [fact for fact in facts if fact.time_ns + offset_ns <= self._clock()]
        if not past:
            return Facts(time_ns=self._clock())
        return replace(past[-1], time_ns=past[-1].time_ns + offset_ns, processes=None)

    def close(self) -> None:
        """There is nothing to give back."""

    def _play(self, device: Device) -> Play:
        if not self._plays:
            self.discover()
        if device.uuid not in self._plays:
            raise MeterError(f"{self._path} holds no recording of {device.uuid}. Start again.")
        return self._plays[device.uuid]

    def _offset(self) -> int:
        """From the recording's clock to now's; the first look begins the play."""
        if self._offset_ns is None:
            self._offset_ns = self._clock() - self._first_ns
        return self._offset_ns

    def _wait_for(self, recording: Recording, number: int, offset_ns: int) -> None:
        """Wait until a reading is due, unless that takes too long or will never be."""
        if number >= len(recording.after_ns):
            raise MeterError(self._ended(recording))
        wait_ns = recording.after_ns[number] + offset_ns - self._clock()
        if wait_ns > HOLE_NS:
            why = f" ({recording.loss})" if recording.loss else ""
            raise MeterError(
                f"the recording {self._path} has no readings for {wait_ns / 1e9:.1f} s here{why}. "
                "Replay one without holes."
            )
        self._sleep(max(wait_ns, 0) / 1e9)

    def _ended(self, recording: Recording) -> str:
        seconds = (recording.after_ns[-1] - self._first_ns) / 1e9
        why = f" (its device was lost: {recording.loss})" if recording.loss else ""
        return (
            f"the recording {self._path} ended after {seconds:.1f} s{why}, and nothing is repeated. "
            "Replay a longer one, or measure for a shorter time."
        )


def _reading(recording: Recording, number: int, offset_ns: int) -> Reading:
    between_ns = recording.between_ns[number]
    return Reading(
        before_ns=recording.before_ns[number] + offset_ns,
        after_ns=recording.after_ns[number] + offset_ns,
        energy_j=recording.energy_j[number],
        power_w=recording.power_w[number],
        between_ns=None if between_ns is None else between_ns + offset_ns,
    )


def _replayed(device: Device) -> Device:
    """Never to be taken for the device itself, nor chosen by what is visible here."""
    return replace(
        device,
        uuid=PREFIX + device.uuid,
        name=device.name.removesuffix(SUFFIX) + SUFFIX,
        refusal=None,
        covers_all=True,
    )


def _account(found: Recorded) -> str:
    names = [one.device.name.removesuffix(SUFFIX) for one in found.recordings]
    counted = ", ".join(
        f"{names.count(name)} × {name}" if names.count(name) > 1 else name
        for name in dict.fromkeys(names)
    )
    return f"replayed from {found.path}, recorded on {counted}, {found.date}"
