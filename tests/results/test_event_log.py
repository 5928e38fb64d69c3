"""The log's file: whole lines, whatever is in them and whatever happens to the disk."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.errors import ConfigError, StoreError
from pytest_llem.results.event_log import EventLog, read_events
from pytest_llem.results.events import EVENT, Event, Finished, Warned

DOCS = (Path(__file__).parents[2] / "docs" / "log.md").read_text()
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "log.v1.schema.json").read_text())
WHO: dict[str, Any] = {"experiment_id": "chat-1", "node_id": None, "process": 0}
NUMBERS = st.none() | st.floats() | st.integers(-(1 << 62), 1 << 62)
TEXTS = st.text(st.characters(codec=None), max_size=40)


def names() -> list[str]:
    """Every kind of line."""
    classes = get_args(get_args(Event)[0])
    return [get_args(one.model_fields["event"].annotation)[0] for one in classes]


def test_a_line_says_when_where_and_what(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log", clock=itertools.count(7).__next__)
    log.run_id = "run-1"
    log.add("warning", text="it rains")
    log.add("experiment_finished", outcome="passed", message=None, result="chat-1", **WHO)
    warned, finished = read_events(tmp_path / "log")
    assert isinstance(warned, Warned)
    assert (warned.text, warned.run_id, warned.monotonic_ns) == ("it rains", "run-1", 7)
    assert isinstance(finished, Finished)
    assert (finished.outcome, finished.monotonic_ns) == ("passed", 8)


def test_while_it_is_held_nothing_is_written_and_stamps_are_of_when_it_happened(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path / "log", clock=itertools.count(1).__next__)
    log.hold()
    log.hold()
    log.add("warning", text="first")
    log.add("warning", text="second")
    log.let_go()
    assert (tmp_path / "log").read_bytes() == b""
    log.let_go()
    assert [event.monotonic_ns for event in read_events(tmp_path / "log")] == [1, 2]


def test_what_is_held_is_written_when_the_log_is_closed(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")
    log.hold()
    log.add("warning", text="late")
    log.close()
    log.add("warning", text="too late")
    log.let_go()
    assert len(read_events(tmp_path / "log")) == 1


def test_no_path_is_no_log() -> None:
    log = EventLog(None)
    log.hold()
    log.add("warning", text="nobody hears")
    log.let_go()
    log.close()


def test_a_line_that_was_cut_off_is_passed_over_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    EventLog(path).add("warning", text="before")
    path.write_bytes(path.read_bytes() + b'{"event": "warning", "te')
    EventLog(path).add("warning", text="after")
    assert [getattr(event, "text", "") for event in read_events(path)] == ["before", "after"]


@given(text=TEXTS, number=NUMBERS, texts=st.lists(TEXTS, max_size=3), cut=st.integers(0, 400))
def test_whatever_is_logged_is_read_back_as_whole_lines_that_the_schema_knows(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    number: float | None,
    texts: list[str],
    cut: int,
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    log = EventLog(path)
    log.add("warning", text=text)
    log.add(
        "measured",
        measurement=text,
        energy_j=number,
        energy_uncertainty_j=None,
        energy_per_output_token_j=number,
        estimated=True,
        windows=3,
        invalid_windows=0,
        warnings=texts,
        problem=None,
        **WHO,
    )
    log.add("experiment_loaded", versions=dict.fromkeys(texts, text), **WHO)
    log.close()
    content = path.read_bytes()
    written = content.splitlines()
    assert len(written) == len(read_events(path)) == 3
    for line in written:
        jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(line))
        event = EVENT.validate_json(line)
        assert EVENT.validate_json(EVENT.dump_json(event)) == event
    path.write_bytes(content[: len(content) - cut] if cut else content)
    assert len(read_events(path)) in {len(content[: -cut or None].splitlines()) - e for e in (0, 1)}


def test_threads_do_not_break_each_others_lines(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log")

    def add() -> None:
        for _ in range(200):
            log.hold()
            log.add("warning", text="x" * 500)
            log.let_go()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_events(tmp_path / "log")) == 800


def test_a_failing_disk_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    log = EventLog(Path("/dev/full"), told.append)
    log.add("warning", text="one")
    log.add("warning", text="two")
    log.close()
    assert told == ["the log /dev/full ends here: No space left on device. The run goes on."]


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--llem-log=.* cannot be written: Is a directory"):
        EventLog(tmp_path)


@pytest.mark.parametrize("line", ['{"event": "new"}', "[]", "1", '{"event": "warning"}'])
def test_what_is_no_log_of_this_version_is_an_error_with_its_line(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "log").write_text(f"{line}\n")
    with pytest.raises(StoreError, match=r"log:1: "):
        read_events(tmp_path / "log")


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        read_events(tmp_path / "log")


@pytest.mark.parametrize("name", names())
def test_every_kind_of_line_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCS
    assert any(f"`{name}`" in line for line in DOCS.splitlines())


def test_the_schema_asks_for_the_version_and_refuses_unknown_fields() -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    when = {"monotonic_ns": 1, "time": "2026-11-03T00:00:00.000+00:00", "run_id": None, "pid": 1}
    line = {"schema_version": 1, "event": "warning", "text": "", **when}
    assert validator.is_valid(line)
    assert not validator.is_valid({**line, "mood": "good"})
    assert not validator.is_valid({name: line[name] for name in line if name != "schema_version"})


def test_a_line_without_end_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("[" * 100_000)
    assert read_events(tmp_path / "log.jsonl") == []
