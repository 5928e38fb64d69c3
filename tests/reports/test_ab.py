"""What a comparison of two sides tells while it runs and at its end."""

from __future__ import annotations

from pytest_llem.baselines.self_check import Recommended, Seen, SelfCheck
from pytest_llem.reports.ab import Tale, headline, self_check_lines

CHECK = SelfCheck(
    rounds=8,
    deals=256,
    compared=2,
    false_alarms=0.0,
    false_alarms_at_most=0.17,
    any_false_alarm=0.0,
    seen=(
        Seen("bench/test_chat.py::test_chat", "workload", "ttft_s", {3: 2.0}, {}),
        Seen(
            "bench/test_chat.py::test_chat[batch_size=8]",
            "workload",
            "energy_j",
            {3: 0.1, 5: 0.05},
            {},
        ),
    ),
    recommended=(Recommended("energy_j", 0.015, 5),),
    recommended_stored=(Recommended("energy_j", 0.05, 3),),
)


def told(*, live: bool) -> str:
    written: list[str] = []
    tale = Tale(written.append, width=lambda: 60, live=live, unicode=True, clock=lambda: 0)
    show = tale.watch("round 2 of at most 20: test_chat on side a")
    if show is not None:
        show({"phase": "window", "index": 1, "count": 5, "power_w": 210.0})
    tale.say("after 4 rounds: 1 of 2 undecided, go on")
    return "".join(written)


def test_a_terminal_has_one_line_that_is_written_over() -> None:
    text = told(live=True)
    assert text.count("\n") == 1
    shown = text.split("\r\x1b[K")
    assert "window 2 of 5" in shown[2]
    assert max(map(len, shown)) < 60


def test_what_is_no_terminal_gets_plain_lines() -> None:
    assert told(live=False) == "after 4 rounds: 1 of 2 undecided, go on\n"


def test_the_headline_says_how_many_processes_experiments_had() -> None:
    lines = list(headline({"a": "as it is", "b": "ref=main"}, {}, [4, 7]))
    assert lines[0] == "a: as it is"
    assert lines[2].startswith("2 experiments, 4 to 7 processes of each on each side")


def test_a_self_check_fits_in_80_columns_and_says_how_sure_it_is() -> None:
    lines = list(self_check_lines(CHECK, 80))
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert "at most 17 % with 95 % confidence" in text
    assert "llem ab --gate 'energy_j:1.5%' --max-repeats 5; finds changes of 3 %" in text
    assert "--llem-gate='energy_j:5%' --llem-repeats=3" in text
    assert "no tolerance of ttft_s is of use for both sides in one session" in text
