"""Which gates hold for which experiment."""

from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.baselines.rulebook import Rulebook, matches, parse_gate
from pytest_llem.config.gates import BaselineTable, gates_in, read_baseline_table
from pytest_llem.errors import ConfigError
from pytest_llem.pyproject import read_llem_table

if TYPE_CHECKING:
    from pathlib import Path

NODE = "bench/test_chat.py::TestLong::test_chat[batch_size=8-[x]]"


def told(book: Rulebook, node_id: str = NODE, *marked: str) -> list[str]:
    return [str(rule) for rule in book.rules(node_id, marked)]


@pytest.mark.parametrize(
    "pattern",
    [
        NODE,
        "bench/test_chat.py",
        "bench/test_chat.py::TestLong",
        "bench/test_chat.py::TestLong::test_chat",
        "bench/*",
        "*::test_chat[batch_size=?-[x]]",
        "*batch_size=8*",
        "*",
    ],
)
def test_a_pattern_names_a_node_or_what_it_is_in(pattern: str) -> None:
    assert matches(pattern, NODE)


@pytest.mark.parametrize("pattern", ["", "test_chat", "bench", "bench/test_chat.py::", "*[x", "?"])
def test_a_pattern_is_not_found_within_a_name(pattern: str) -> None:
    assert not matches(pattern, NODE)


@given(st.text(min_size=1, max_size=30).filter(lambda text: not set("*?") & set(text)))
def test_without_wildcards_a_pattern_names_itself(node_id: str) -> None:
    assert matches(node_id, node_id)


def test_options_win_over_markers_and_markers_over_configuration() -> None:
    configured = ["ttft_s:1%", "energy_j:1%", "itl_s:1%", "power_w:1%@other*"]
    book = Rulebook(configured, ["itl_s:3%"])
    assert told(book, NODE, "energy_j:2%", "itl_s:2%") == ["ttft_s:1%", "energy_j:2%", "itl_s:3%"]


def test_what_is_written_later_wins_where_it_applies() -> None:
    asked = ["ttft_s:1%", "ttft_s:2%@*TestLong*", "ttft_s:3%@other.py"]
    assert told(Rulebook((), asked)) == ["ttft_s:2%"]
    assert told(Rulebook((), asked), "x.py::test") == ["ttft_s:1%"]
    assert told(Rulebook((), asked), "other.py::test") == ["ttft_s:3%"]
    assert told(Rulebook(), NODE, "ttft_s:1%", "ttft_s:9%") == ["ttft_s:9%"]


def test_off_takes_away_what_is_weaker_only() -> None:
    configured = ["ttft_s:1%", "energy_j:1%"]
    assert told(Rulebook(configured, ["ttft_s:off@*TestLong*"])) == ["energy_j:1%"]
    assert told(Rulebook(configured, ["ttft_s:off@*TestLong*"]), "x.py::t") == [
        "ttft_s:1%",
        "energy_j:1%",
    ]
    assert told(Rulebook(configured, ["energy_j:5%"]), NODE, "energy_j:off", "ttft_s: off ") == [
        "energy_j:5%"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ttft_s:5%@", "names no experiments"),
        ("tttft_s:off", "Did you mean 'ttft_s'"),
        ("ttft_s@x:5%", "has no tolerance"),
        ("@x", "not a metric"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_gate(text)
    assert said in str(refused.value)


@given(st.text(max_size=40))
def test_any_text_is_a_gate_or_a_configuration_error(text: str) -> None:
    for attempt in (text, f"ttft_s:{text}", f"ttft_s:5%@{text}"):
        with suppress(ConfigError):
            parse_gate(attempt)


def project(path: Path, text: str) -> Path:
    (path / "pyproject.toml").write_text(text, encoding="utf-8")
    return path


def read_gates(path: Path) -> tuple[str, ...]:
    return gates_in(read_llem_table(path))


def test_gates_are_read_from_the_projects_file(tmp_path: Path) -> None:
    found = read_gates(
        project(
            tmp_path,
            """
            [tool.llem.gates]
            energy_per_output_token_j = "5%"
            latencies.ttft.p99_s = "+20ms"
            "decode.energy_j" = "3%"
            [tool.llem.gates.experiments."bench/test_chat.py*"]
            energy_per_output_token_j = "off"
            traffic.goodput_per_s = "5%+0.1"
            """,
        )
    )
    assert found == (
        "energy_per_output_token_j:5%",
        "latencies.ttft.p99_s:+20ms",
        "decode.energy_j:3%",
        "energy_per_output_token_j:off@bench/test_chat.py*",
        "traffic.goodput_per_s:5%+0.1@bench/test_chat.py*",
    )
    assert len(Rulebook(found).rules("bench/test_chat.py::test")) == 3


def test_without_a_file_or_a_table_there_are_no_gates(tmp_path: Path) -> None:
    assert read_gates(tmp_path) == ()
    assert read_baseline_table(tmp_path) == BaselineTable()
    assert read_gates(project(tmp_path, "[tool.other]")) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.llem.gates]\nttft_s = 5", "is no tolerance. Write it as a text"),
        ("[tool.llem.gates]\nttft_s = ['5%']", "is no tolerance"),
        ("[tool.llem]\ngates = ['ttft_s:5%']", "must be a table"),
        ("[tool.llem.gates.experiments]\n'bench/*' = '5%'", "a table for each pattern"),
        ("[tool.llem.gates", "is no TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_gates(project(tmp_path, text))
    assert said in str(refused.value)
    assert "pyproject.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sessions = 0", "sessions"),
        ("sesions = 3", "Did you mean"),
        ("match = {commit = 'ignored'}", "match"),
    ],
)
def test_a_table_of_baselines_that_makes_no_sense_is_named(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_baseline_table(project(tmp_path, f"[tool.llem.baselines]\n{text}"))


def test_off_takes_limits_away_too() -> None:
    book = Rulebook(["ttft_s:5%", "ttft_s:<=200ms", "energy_j:5%"], ["ttft_s:off@bench/a.py*"])
    assert [str(rule) for rule in book.rules("bench/a.py::test[x]")] == ["energy_j:5%"]
    assert len(book.rules("bench/b.py::test[x]")) == 3


@given(st.text("ab*?", max_size=9), st.text("ab\n", max_size=9))
def test_stars_and_question_marks_are_those_of_file_names(pattern: str, name: str) -> None:
    assert matches(pattern, name) == fnmatchcase(name, pattern)


def test_many_stars_are_matched_as_soon_as_one() -> None:
    """With backtracking, this would not end."""
    assert not matches("a*" * 40 + "b", "a" * 200)
    assert matches("*" * 40, NODE)
