"""What the supervisor answers while a child drives a load, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llem.errors import MeterError
from pytest_llem.isolation.channel import Message
from pytest_llem.isolation.observer import Awaited, Observer

SECOND = 1_000_000_000


class FakeSampling:
    def __init__(self) -> None:
        self.attending: list[bool] = []
        self.settled = False
        self.refreshed = False

    def attend(self, on: bool) -> None:
        self.attending.append(on)

    def settled_after(self, time_ns: int) -> bool:
        return self.settled

    def refreshed_after(self, time_ns: int) -> bool:
        return self.refreshed

    def latest_power_w(self) -> float | None:
        return 42.0


class Scene:
    """An observer with a clock, a sampler and replies that can be looked at."""

    def __init__(self, infer: Any = dict) -> None:
        self.now_ns = 100 * SECOND
        self.sampling = FakeSampling()
        self.replies: list[tuple[str, dict[str, Any]]] = []
        self.observer = Observer(self.sampling, infer, self.reply, clock=lambda: self.now_ns)

    def reply(self, kind: str, **fields: Any) -> None:
        self.replies.append((kind, fields))

    def say(self, kind: str, **fields: Any) -> bool:
        return self.observer.handle(Message(kind, fields))

    def ask(self, condition: str, least_s: float = 0.0) -> None:
        since = {"since_ns": self.now_ns, "least_s": least_s}
        self.say("await", question=7, condition=condition, **since)


def test_a_window_may_end_once_its_least_time_has_passed_and_the_counter_refreshed() -> None:
    scene = Scene()
    scene.ask("refreshed", least_s=1.0)
    scene.sampling.refreshed = True
    assert scene.observer.look() == pytest.approx(1.0)
    scene.now_ns += SECOND // 2
    assert scene.observer.look() == pytest.approx(0.5)
    scene.now_ns += SECOND // 2
    scene.sampling.refreshed = False
    soon_s = scene.observer.look()
    assert soon_s is not None
    assert 0 < soon_s < 0.01
    assert scene.replies == []
    scene.sampling.refreshed = True
    assert scene.observer.look() is None
    assert scene.replies == [("ready", {"question": 7})]
    assert scene.observer.look() is None
    assert len(scene.replies) == 1


def test_a_window_does_not_wait_long_for_a_counter_that_refreshes_seldom() -> None:
    scene = Scene()
    scene.ask("refreshed")
    scene.now_ns += SECOND // 4 + 1
    scene.observer.look()
    assert [kind for kind, _ in scene.replies] == ["ready"]


def test_a_post_roll_ends_when_the_counter_has_moved_or_never_will() -> None:
    scene = Scene()
    scene.ask("settled")
    assert scene.observer.look() is not None
    scene.sampling.settled = True
    scene.observer.look()
    assert [kind for kind, _ in scene.replies] == ["ready"]
    scene.sampling.settled = False
    scene.ask("settled")
    scene.now_ns += 4 * SECOND
    scene.observer.look()
    assert [kind for kind, _ in scene.replies] == ["ready", "ready"]


def test_a_warm_up_may_end_once_the_devices_have_settled() -> None:
    scene = Scene()
    looked: list[tuple[int, int, int]] = []
    ended: list[int] = []

    def steady(awaited: Awaited, now_ns: int) -> bool:
        looked.append((awaited.since_ns, awaited.least_ns, now_ns))
        return len(looked) > 1

    scene.observer.steady = steady
    scene.observer.passed = ended.append
    start_ns = scene.now_ns
    scene.ask("steady", least_s=5.0)
    scene.say("passed", end_ns=scene.now_ns + 7)
    soon_s = scene.observer.look()
    assert soon_s is not None
    assert 0 < soon_s < 0.1
    assert scene.replies == []
    scene.now_ns += SECOND // 10
    assert scene.observer.look() is None
    assert scene.replies == [("ready", {"question": 7})]
    assert looked == [(start_ns, 5 * SECOND, start_ns), (start_ns, 5 * SECOND, scene.now_ns)]
    assert ended == [start_ns + 7]


def test_devices_are_read_closely_while_a_measurement_runs() -> None:
    scene = Scene(infer=lambda marks: {"energy_j": marks["x"]})
    scene.say("begin")
    scene.say("measured", marks={"x": 3})
    assert scene.sampling.attending == [True, False]
    assert scene.replies == [("measurement", {"figures": {"energy_j": 3}})]


@pytest.mark.parametrize("error", [MeterError("no trace"), ValueError("these are no marks")])
def test_figures_that_cannot_be_inferred_are_answered_with_the_reason(error: Exception) -> None:
    def infer(marks: dict[str, Any]) -> dict[str, Any]:
        raise error

    scene = Scene(infer)
    scene.say("measured", marks={})
    assert scene.replies == [("measurement", {"error": str(error)})]


def test_what_is_not_for_the_observer_is_left_to_others() -> None:
    scene = Scene()
    assert not scene.say("report", data={})
    assert scene.say("phase", phase="loading", index=None, count=None)
    assert scene.observer.progress().phase == "loading"
    assert scene.observer.progress().power_w == 42.0


@pytest.mark.parametrize("kind", ["phase", "await", "passed", "measured", "engine", "begin"])
def test_known_kinds_with_foreign_fields_do_no_harm(kind: str) -> None:
    scene = Scene()
    assert scene.say(kind, nonsense=1)
    assert scene.observer.look() is None
    assert scene.replies == []
