"""Files of configuration: what they mean, where it stands, and how they are refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llem.config.documents.document import MOST_BYTES, Document
from pytest_llem.config.documents.toml import parse_toml
from pytest_llem.config.documents.yaml import parse_yaml, read_yaml
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=9)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTABLE
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3),
)
MAPPINGS = st.dictionaries(PRINTABLE, VALUES, max_size=4)
PARSERS: list[Callable[[str, str], Document]] = [parse_yaml, parse_toml]
LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@given(MAPPINGS)
def test_json_that_is_yaml_means_the_same(value: dict[str, Any]) -> None:
    assert parse_yaml(json.dumps(value, ensure_ascii=False), "f").value == value


@given(MAPPINGS)
def test_every_key_has_the_line_on_which_it_stands(value: dict[str, Any]) -> None:
    lines = [
        f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(of)}" for key, of in value.items()
    ]
    document = parse_yaml("\n".join(lines), "f")
    for number, key in enumerate(value, 1):
        assert document.place(key).line == number
        assert document.place(key, "unknown", 3) == document.place(key)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text() | st.text(alphabet="[]{}:,&*-<>!|\"'\\ \n\ta1.#="))
def test_no_text_is_met_with_a_traceback(parse: Callable[[str, str], Document], text: str) -> None:
    said = ""
    try:
        parse(text, "f")
    except ConfigError as error:
        said = str(error)
    assert said.startswith("f:") or not said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "f:1:1: must be a mapping"),
        ("a: 1\nb: 2\na: 3", "f:3:1: the key 'a' is given twice, first in line 1"),
        ("a:\n  - b: &x [*x]", "f:2:8: this holds itself"),
        (LAUGHS, "values"),
        ("a: !!python/object:os.system 1", "f:1:4: the tag !!python/object:os.system"),
        ("a: {1: 2}", "f:1:5: a key must be a text"),
        ("a: b: c", "f:1:5: this is no YAML"),
        ("a: 1\n---\nb: 2", "f:2:1: this is no YAML"),
        ("a: *b", "f:1:4: this is no YAML"),
        ("a: \x01", "f:1:4: this is no YAML"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("a: " + "9" * 5000, "f:1:4: this is no int"),
        ('a: "\\ud800"', "f:1:4: this is no str"),
        ("<<: 3", "f:1:5: << takes a mapping"),
    ],
)
def test_yaml_that_is_not_meant_is_refused_at_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "f")
    assert said in str(caught.value)


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "{a: no, b: 1e3, c: 1:30, d: 2001-01-01, e: 0x1F, f: true, g: ~, h: 010, i: on}"
    assert parse_yaml(text, "f").value == {
        "a": "no", "b": 1000.0, "c": "1:30", "d": "2001-01-01", "e": 31, "f": True, "g": None,
        "h": 10, "i": "on",
    }  # fmt: skip


def test_an_empty_file_says_nothing() -> None:
    assert parse_yaml("# only a comment", "f").value == {}


def test_what_is_merged_loses_against_what_is_written_and_has_its_own_place() -> None:
    document = parse_yaml("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n", "f")
    assert document.value["y"] == {"a": 1, "b": 3}
    assert (document.place("y", "a").line, document.place("y", "b").line) == (1, 4)


def test_keys_of_toml_have_their_lines() -> None:
    text = '[tool.llem]\nseed = 1\n"batch_size" = 2\ntext = """\nseed = 3\n"""\n\n[tool.llem.vllm]\nextra.x = 1\n'
    document = parse_toml(text, "f").at("tool", "llem")
    assert str(document.place("batch_size")) == "f:3:1"
    assert document.place("seed").line == 2
    assert document.place("vllm", "extra", "x").line == 9


def test_toml_that_is_none_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"f:2:\d+: this is no TOML"):
        parse_toml("a = 1\nb = =\n", "f")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "llem.yaml"
    with file.open("wb") as opened:
        opened.truncate(MOST_BYTES + 1)
    with pytest.raises(ConfigError, match="no configuration"):
        read_yaml(file)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "llem.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_yaml(tmp_path / "llem.yaml")
