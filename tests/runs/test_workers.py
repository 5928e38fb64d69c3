"""What workers of pytest-xdist and their controller do, without any."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem import RunSettings
from pytest_llem.errors import ConfigError, LlemError, LockError, MissingExtraError
from pytest_llem.runs.order import ordered
from pytest_llem.runs.settings import Resume
from pytest_llem.runs.workers.deaths import Deaths
from pytest_llem.runs.workers.messages import problem_heard, problem_said
from pytest_llem.runs.workers.place import PLACE, Place, check_place, place_here
from pytest_llem.runs.workers.turns import Shared, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = RunSettings(Path("/here"), Path("/here/.llem"), Path("/here/baselines"))
RESULT: Any = SimpleNamespace(outcome="passed")


def shared(index: int, planned: int, ran: int = 1) -> Shared:
    one = Shared(node_id=f"test_it.py::test_{index}", planned=planned, index=index, ran=ran)
    one.kept.results = [RESULT] * ran
    return one


def dealt(experiments: Sequence[Shared], workers: int, seed: int | None) -> list[tuple[int, int]]:
    """Index and process of whatever is run, by so many workers of which the first is first done."""
    turns, busy, found = Turns(seed), [], []
    while True:
        while len(busy) < workers and (one := turns.next(experiments)) is not None:
            one.running = True
            busy.append(one)
            found.append((one.index, one.ran))
        if not busy:
            return found
        done = busy.pop(0)
        done.running = False
        done.ran += 1


@given(
    plans=st.lists(st.integers(1, 4), max_size=6),
    workers=st.integers(1, 3),
    seed=st.none() | st.integers(0, 3),
)
def test_every_process_is_dealt_once_and_rounds_come_in_turn(
    plans: list[int], workers: int, seed: int | None
) -> None:
    experiments = [shared(index, planned) for index, planned in enumerate(plans)]
    found = dealt(experiments, workers, seed)
    wanted = [(index, ran) for index, planned in enumerate(plans) for ran in range(1, planned)]
    assert sorted(found) == wanted
    ahead = [later - now for (_, now), (_, later) in pairwise(found)]
    assert all(step >= 0 for step in ahead)
    if seed is None:
        assert found == sorted(found, key=lambda one: (one[1], one[0]))


def test_a_seed_gives_the_order_that_one_process_has() -> None:
    experiments = [shared(index, 3) for index in range(8)]
    by_index = sorted(experiments, key=lambda one: one.index)
    wanted = [(one.index, number) for number in (1, 2) for one in ordered(by_index, 7, number)]
    assert dealt(experiments[::-1], 1, 7) == wanted


def test_what_was_skipped_or_has_no_result_is_not_dealt() -> None:
    skipped, lost = shared(0, 3), shared(1, 3)
    skipped.kept.results = [SimpleNamespace(outcome="skipped")]  # type: ignore[list-item]
    lost.kept.results = []
    assert Turns(None).next([skipped, lost]) is None


def worker(place: dict[str, Any] | None) -> Any:
    given = {} if place is None else {PLACE: place}
    return SimpleNamespace(workerinput=given, getoption=lambda _, default: default)


def here(**changed: Any) -> dict[str, Any]:
    found: Place = place_here(worker(None), SETTINGS.runs)
    return {**found, **changed}


def test_a_worker_beside_its_controller_is_in_its_place() -> None:
    check_place(worker(here()), SETTINGS, several=True, gated=True)
    check_place(worker(None), SETTINGS, several=True, gated=True)
    check_place(worker(here(each=True)), SETTINGS, several=False, gated=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"host": "elsewhere"}, "and pytest itself runs on elsewhere"),
        ({"python": "2.7 of /usr"}, "and pytest itself runs under Python 2.7 of /usr"),
        ({"runs": "/there/.llem"}, "with runs in /here/.llem, and"),
    ],
)
def test_a_worker_elsewhere_is_refused(changed: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match="experiments of one run belong to one env") as refused:
        check_place(worker(here(**changed)), SETTINGS, several=False, gated=False)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("several", "gated", "settings", "said"),
    [
        (False, True, SETTINGS, "while gates compare each experiment once"),
        (True, False, SETTINGS, "while --llem-repeats and --llem-max-repeats take each"),
        (False, False, replace(SETTINGS, update_baselines=True), "while --llem-update-baselines"),
        (False, False, replace(SETTINGS, resume=Resume(Path("run"))), "while --llem-resume goes"),
    ],
)
def test_what_needs_each_experiment_once_is_refused_where_every_worker_runs_all(
    several: bool, gated: bool, settings: RunSettings, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_place(worker(here(each=True)), settings, several=several, gated=gated)


@pytest.mark.parametrize("problem", [LockError("taken"), LlemError("odd"), None])
def test_what_went_wrong_arrives_as_it_was(problem: LlemError | None) -> None:
    heard = problem_heard(problem_said(problem))
    assert (type(heard), str(heard)) == (type(problem), str(problem))


def test_an_error_of_more_words_arrives_with_its_text() -> None:
    error = MissingExtraError("torch", "transformers")
    assert str(problem_heard(problem_said(error))) == str(error)


def test_deaths_are_told_with_what_ran() -> None:
    deaths = Deaths()
    assert deaths.lines() == []
    deaths.add("gw1", "Not properly terminated")
    assert deaths.lines() == [
        "llem: worker 'gw1' died (Not properly terminated); what it had finished counts"
    ]
    deaths.ran("gw1", "'test_it.py::test_it'")
    (told,) = deaths.lines()
    assert "died while it ran 'test_it.py::test_it' (" in told
