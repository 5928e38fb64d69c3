"""``llem migrate``: what is old is upgraded where it lies, and nothing else is touched."""

from __future__ import annotations

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pytest_llem.baselines.store import BaselineStore
from pytest_llem.cli import app
from pytest_llem.errors import ConfigError
from pytest_llem.runs.migrating import migrate

FORMATS = Path(__file__).parents[1] / "data" / "formats"
OLD = (FORMATS / "baseline.v1.json").read_bytes()
PLACE = Path("bench/test_chat/test_chat/nvidia-h100-80gb-hbm3-x1.json")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A baseline of format 1 where it belongs, in ``baselines``."""
    path = tmp_path / "baselines" / PLACE
    path.parent.mkdir(parents=True)
    path.write_bytes(OLD)
    return path


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(directory)): one.read_bytes()
        for one in directory.rglob("*")
        if one.is_file()
    }


def test_an_old_baseline_is_upgraded_and_kept_as_it_was(tmp_path: Path, old: Path) -> None:
    root = tmp_path / "baselines"
    before = BaselineStore(root).all()
    (done,) = migrate([root])
    assert (done.state, done.kind, done.before, done.now) == ("upgraded", "baseline", 1, 2)
    assert done.backup == old.with_name(f"{old.name}.v1.bak")
    assert done.backup.read_bytes() == OLD
    assert json.loads(old.read_text(encoding="utf-8"))["schema_version"] == 2
    assert BaselineStore(root).all() == before


def test_a_second_time_changes_nothing(tmp_path: Path, old: Path) -> None:
    migrate([old])
    there = contents(tmp_path)
    assert [one.state for one in migrate([tmp_path])] == ["current"]
    assert contents(tmp_path) == there


def test_a_dry_run_says_it_and_changes_nothing(tmp_path: Path, old: Path) -> None:
    there = contents(tmp_path)
    (said,) = migrate([old], dry_run=True)
    assert str(said) == f"outdated  {old}: baseline 1 → 2"
    assert contents(tmp_path) == there


def test_what_is_newer_or_damaged_is_named_and_left_alone(tmp_path: Path, old: Path) -> None:
    newer, damaged = old.with_name("newer.json"), old.with_name("damaged.json")
    newer.write_bytes(OLD.replace(b'"schema_version": 1', b'"schema_version": 3'))
    damaged.write_bytes(OLD[:200])
    others = {"notes.json": b'{"mine": true}', "list.json": b"[1, 2]"}
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    there = contents(tmp_path)
    found = {one.path: one for one in migrate([tmp_path])}
    assert {path: one.state for path, one in found.items()} == {
        newer: "refused",
        damaged: "refused",
        old: "upgraded",
    }
    assert "a newer pytest-llem (format 3" in str(found[newer])
    assert f"{damaged} is damaged" in str(found[damaged])
    left = {name: one for name, one in contents(tmp_path).items() if name in there}
    assert {name for name in there if left[name] != there[name]} == {str(old.relative_to(tmp_path))}


def test_a_baseline_in_a_strange_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c" / "d.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(OLD)
    (found,) = migrate([path])
    assert found.state == "refused"
    assert "Move it there" in str(found)
    assert contents(tmp_path) == {"a/b/c/d.json": OLD}


def test_an_earlier_backup_is_not_overwritten(old: Path) -> None:
    earlier = old.with_name(f"{old.name}.v1.bak")
    earlier.write_bytes(b"of another day")
    (done,) = migrate([old])
    assert done.backup == old.with_name(f"{old.name}.v1.2.bak")
    assert earlier.read_bytes() == b"of another day"
    assert done.backup.read_bytes() == OLD


def test_one_that_was_killed_after_its_backup_is_gone_on_with(tmp_path: Path, old: Path) -> None:
    old.with_name(f"{old.name}.v1.bak").write_bytes(OLD)
    assert [one.state for one in migrate([old])] == ["upgraded"]
    assert len(contents(tmp_path)) == 2


def test_several_at_once_do_it_once(tmp_path: Path, old: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = [one for done in pool.map(lambda _: migrate([old]), range(4)) for one in done]
    assert sorted(one.state for one in found) == [*["current"] * 3, "upgraded"]
    assert len(contents(tmp_path)) == 2


def test_what_is_not_there_is_said_before_anything_is_changed(tmp_path: Path, old: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: there is no such file"):
        migrate([old, tmp_path / "nowhere"])
    assert old.read_bytes() == OLD


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_in_a_file_it_is_upgraded_or_left_alone(data: st.DataObject) -> None:
    content = data.draw(
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from(sorted(FORMATS.glob("*.json*"))).flatmap(_mutated),
        )
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, PLACE)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        (found,) = migrate([path])
        if found.state != "upgraded":
            assert contents(Path(directory)) == {str(PLACE): content}
        else:
            assert [one.state for one in migrate([path])] == ["current"]


def _mutated(path: Path) -> st.SearchStrategy[bytes]:
    """The file with some bytes replaced by a few others, or cut off."""
    whole = path.read_bytes()
    places = st.integers(0, len(whole))
    pieces = st.one_of(
        st.just(b""), st.sampled_from([b"null", b"[", b"99", b'"x"', b"\xff", b"{}"])
    )
    return st.tuples(places, st.integers(0, 40), pieces, st.booleans()).map(
        lambda one: whole[: one[0]] + one[2] + (b"" if one[3] else whole[one[0] + one[1] :])
    )


def test_the_command_says_what_it_did_and_fails_where_something_was_refused(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["migrate", "--dry-run"])
    assert (said.exit_code, said.output.splitlines()) == (
        0,
        [f"outdated  baselines/{PLACE}: baseline 1 → 2", "0 of 1 files are of today's format"],
    )
    said = CliRunner().invoke(app, ["migrate", "--json"])
    (one,) = json.loads(said.output)
    assert (one["state"], one["backup"]) == ("upgraded", f"baselines/{PLACE}.v1.bak")
    old.write_bytes(OLD[:-20])
    said = CliRunner().invoke(app, ["migrate"])
    assert said.exit_code == 1
    assert f"baselines/{PLACE} is damaged" in said.output
    assert "It is left as it is." in said.output
