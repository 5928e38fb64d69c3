"""What a process says becomes lines of the log, and none of them while windows run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.verdict import Judgement
from pytest_llem.isolation.channel import Message
from pytest_llem.isolation.messages import FIELDS, well_formed
from pytest_llem.isolation.supervisor import Ending
from pytest_llem.results.event_log import EventLog, read_events
from pytest_llem.runs.witness import LONGEST_MESSAGE, Witness

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llem.results.events import Event

WINDOW = {"valid": True}
FIGURES = {
    "name": "workload",
    "energy_j": 1.5,
    "energy_uncertainty_j": 0.1,
    "energy_per_output_token_j": 0.5,
    "method": "counter",
    "windows": [WINDOW, {"valid": False}],
    "warnings": ["throttled"],
}
JUDGEMENT = Judgement(
    verdict="regressed",
    metric="energy_j",
    measurement="workload",
    candidate=2.0,
    baseline=1.0,
    change=float("inf"),
    interval=(0.5, 1.5),
    tolerance="5%",
    minimum_detectable_change=None,
    explanation="twice as much",
)


class Heard:
    """A witness, and what it has written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = EventLog(path, clock=itertools.count(1).__next__)
        self.witness = Witness(self.log, "chat-1", "test_chat.py::test_it", 2)
        self.replied: list[str] = []
        self.reply = self.witness.replying(lambda kind, **_: self.replied.append(kind))

    def written(self) -> list[Event]:
        return read_events(self.path)

    def kinds(self) -> list[str]:
        return [event.event for event in self.written()]

    def phase(self, phase: str, index: int | None = None, count: int | None = None) -> None:
        self.witness.heard(Message("phase", {"phase": phase, "index": index, "count": count}))


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    return Heard(tmp_path / "log")


def test_lines_of_a_measurement_follow_once_its_figures_are_known(heard: Heard) -> None:
    heard.phase("loading builtin/tiny")
    heard.witness.heard(Message("engine", {"description": {"versions": {"torch": "2.13"}}}))
    heard.phase("warm-up")
    before = ["experiment_loaded", "warm_up_started"]
    assert heard.kinds() == before
    heard.phase("window", 0, 2)
    heard.phase("window", 1, 2)
    heard.reply("reviewed", invalid=1)
    heard.phase("window", 2, 3)
    heard.reply("reviewed", invalid=0)
    heard.reply("ready", question=1)
    assert heard.kinds() == before
    heard.reply("measurement", figures=FIGURES)
    windows = ["window_started", "window_started", "windows_repeated", "window_started"]
    assert heard.kinds() == [*before, "warmed_up", *windows, "measured"]
    assert heard.replied == ["reviewed", "reviewed", "ready", "measurement"]
    measured = heard.written()[-1].model_dump()
    assert (measured["windows"], measured["invalid_windows"]) == (2, 1)
    assert (measured["energy_j"], measured["estimated"]) == (1.5, False)
    assert (measured["experiment_id"], measured["process"]) == ("chat-1", 2)


def test_a_second_measurement_is_held_as_the_first_was(heard: Heard) -> None:
    for _ in range(2):
        heard.phase("warm-up")
        heard.phase("window", 0, 1)
        heard.reply("measurement", figures=FIGURES)
    assert heard.kinds() == ["warm_up_started", "warmed_up", "window_started", "measured"] * 2


def test_a_measurement_without_figures_says_why(heard: Heard) -> None:
    heard.phase("window", 0, 1)
    heard.reply("measurement", error="the GPU is lost")
    measured = heard.written()[-1].model_dump()
    assert (measured["problem"], measured["energy_j"]) == ("the GPU is lost", None)


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending(0), None),
        (Ending(1), None),
        (None, None),
        (Ending(-11), {"status": -11, "timed_out": False, "killed_for": None}),
        (Ending(None, timed_out=True), {"status": None, "timed_out": True, "killed_for": None}),
        (
            Ending(None, killed_for="out of memory", kernel_kills=1),
            {"status": None, "timed_out": False, "killed_for": "out of memory"},
        ),
    ],
)
def test_a_death_is_a_line_and_an_exit_is_none(
    heard: Heard, ending: Ending | None, told: dict[str, Any] | None
) -> None:
    heard.phase("window", 0, 1)
    heard.witness.ended(ending)
    last = heard.written()[-1]
    assert (last.event == "child_died") is (told is not None)
    assert (told or {}).items() <= last.model_dump().items()


def test_whoever_waits_is_interrupted_or_run_again_is_told_of(heard: Heard) -> None:
    heard.witness.queued("transformers", "builtin/tiny")
    heard.witness.waiting("waiting for GPU 0")
    heard.witness.warned("spawned, not forked")
    heard.witness.retried("the fork server died")
    heard.phase("window", 0, 1)
    heard.witness.interrupted()
    heard.witness.failed("x" * 5000)
    assert heard.kinds() == [
        "experiment_queued",
        "experiment_waiting",
        "warning",
        "experiment_retried",
        "window_started",
        "experiment_interrupted",
        "experiment_finished",
    ]
    assert len(heard.written()[-1].model_dump()["message"]) == LONGEST_MESSAGE


def test_gates_are_told_of_and_what_only_informs_is_not(heard: Heard) -> None:
    heard.witness.judged([], strict=False)
    heard.witness.judged([JUDGEMENT], strict=False)
    (judged,) = heard.written()
    told = judged.model_dump()
    assert told["failed"]
    (verdict,) = told["verdicts"]
    assert (verdict["verdict"], verdict["interval"], verdict["change"]) == (
        "regressed",
        (0.5, 1.5),
        None,
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(
    messages=st.lists(
        st.sampled_from(sorted(FIELDS)).flatmap(
            lambda kind: st.builds(
                Message, st.just(kind), st.fixed_dictionaries(dict.fromkeys(FIELDS[kind], VALUES))
            )
        ),
        max_size=6,
    )
)
def test_whatever_a_process_says_the_log_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Message]
) -> None:
    heard = Heard(tmp_path_factory.mktemp("log") / "log")
    for message in messages:
        if well_formed(message):
            heard.witness.heard(message)
    heard.log.close()
    heard.written()
