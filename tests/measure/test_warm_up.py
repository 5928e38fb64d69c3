"""The warm-up of a load: by its own passes, and by what the supervisor says of the devices."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llem.config.measurement import MeasurementConfig
from pytest_llem.energy.marks import MeasurementMarks, Pass
from pytest_llem.isolation.channel import Channel
from pytest_llem.measure.drive import Driver
from pytest_llem.measure.link import SupervisorLink
from pytest_llem.measure.work import Loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MS = 1_000_000


class Supervised:
    """A load of passes that say they took 50 ms, and a supervisor that answers after each."""

    def __init__(self, supervisor: Channel, steady: Callable[[int], bool]) -> None:
        self._channel, self._steady = supervisor, steady
        self.now_ns, self.passes = 0, 0
        self.asked: list[dict[str, Any]] = []
        self.told_ns: list[int] = []
        self._open: dict[str, Any] | None = None

    def __call__(self) -> Pass:
        start_ns, self.now_ns = self.now_ns, self.now_ns + 50 * MS
        self.passes += 1
        self._answer()
        return Pass(
            start_ns=start_ns, end_ns=self.now_ns, requests=1, input_tokens=1, output_tokens=1
        )

    def _answer(self) -> None:
        while (message := self._channel.receive(0.0)) is not None:
            if message.kind == "await":
                self._open = message.fields
                self.asked.append(message.fields)
            elif message.kind == "passed":
                self.told_ns.append(message.fields["end_ns"])
            elif message.kind == "review":
                raise AssertionError("nothing is repeated here")
        if self._open and (self._open["condition"] != "steady" or self._steady(self.passes)):
            self._channel.send("ready", question=self._open["question"])
            self._open = None


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    ends = tuple(map(Channel, socket.socketpair()))
    yield ends[0], ends[1]
    for end in ends:
        end.close()


def driven(
    channels: tuple[Channel, Channel], steady: Callable[[int], bool], **settings: float
) -> tuple[Supervised, MeasurementMarks]:
    load = Supervised(channels[1], steady)
    config = MeasurementConfig.model_validate(
        {"windows": 2, "window_s": 1.5, "repeat_windows": 0, "warmup_min_s": 0, **settings}
    )
    link = SupervisorLink(channels[0])
    return load, Driver(config, link).measure("load", "callable", Loads(load))


def test_it_goes_on_until_the_devices_have_settled(channels: tuple[Channel, Channel]) -> None:
    _, marks = driven(channels, lambda passes: passes >= 40)
    assert marks.warm_up is not None
    assert marks.warm_up.converged
    assert marks.warm_up.passes == 40
    assert [one.name for one in marks.warm_up.criteria] == ["latency"]


def test_devices_alone_do_not_end_it(channels: tuple[Channel, Channel]) -> None:
    _, marks = driven(channels, lambda _: True, warmup_min_s=1.0)
    assert marks.warm_up is not None
    assert marks.warm_up.passes == 20


def test_it_ends_when_it_is_out_of_time(channels: tuple[Channel, Channel]) -> None:
    _, marks = driven(channels, lambda _: False, warmup_max_s=3.0)
    assert marks.warm_up is not None
    assert not marks.warm_up.converged
    assert marks.warm_up.passes in {60, 61}
    assert marks.windows


def test_passes_that_say_they_take_no_time_end_by_the_clock(
    channels: tuple[Channel, Channel],
) -> None:
    load = Supervised(channels[1], lambda _: False)

    def timeless() -> Pass:
        assert load.passes < 100_000
        return load().model_copy(update={"end_ns": load.now_ns - 50 * MS})

    config = MeasurementConfig(windows=1, window_s=0.01, repeat_windows=0, warmup_max_s=0.05)
    marks = Driver(config, SupervisorLink(channels[0])).measure("load", "callable", Loads(timeless))
    assert marks.warm_up is not None
    assert not marks.warm_up.converged


def test_devices_that_had_settled_before_the_passes_are_asked_about_again(
    channels: tuple[Channel, Channel],
) -> None:
    load, marks = driven(channels, lambda passes: passes < 10, warmup_min_s=1, warmup_max_s=3)
    assert marks.warm_up is not None
    assert not marks.warm_up.converged
    assert sum(one["condition"] == "steady" for one in load.asked) >= 5


def test_the_supervisor_is_told_how_long_the_windows_take_and_when_passes_ended(
    channels: tuple[Channel, Channel],
) -> None:
    load, marks = driven(channels, lambda passes: passes >= 12)
    assert marks.warm_up is not None
    assert load.asked[0]["condition"] == "steady"
    assert load.asked[0]["least_s"] == 3.0
    assert load.asked[0]["since_ns"] == marks.warm_up.start_ns
    assert load.told_ns == [50 * MS * (number + 1) for number in range(12)]


def test_short_passes_are_not_told_one_by_one(channels: tuple[Channel, Channel]) -> None:
    link = SupervisorLink(channels[0])
    for number in range(1, 201):
        link.passed(number * MS)
    told = []
    while (message := channels[1].receive(0.0)) is not None:
        told.append(message.fields["end_ns"] // MS)
    assert told == list(range(20, 201, 20))
