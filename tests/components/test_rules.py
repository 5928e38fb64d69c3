"""Where the lists of what may be used come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llem.components.rules import Rules, read_rules
from pytest_llem.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def project(directory: Path, text: str) -> Path:
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")
    return directory


def test_without_a_file_and_variables_everything_may_be_used(tmp_path: Path) -> None:
    assert read_rules(tmp_path, {}) == Rules(allow=None, deny=())


def test_the_project_says_what_may_be_used(tmp_path: Path) -> None:
    place = project(tmp_path, "[tool.llem.components]\nallow = ['a', 'b']\ndeny = ['c']\n")
    assert read_rules(place, {}) == Rules(allow=("a", "b"), deny=("c",))


def test_a_variable_replaces_its_list_only(tmp_path: Path) -> None:
    place = project(tmp_path, "[tool.llem.components]\nallow = ['a']\ndeny = ['c']\n")
    assert read_rules(place, {"LLEM_COMPONENTS_ALLOW": "x, y"}) == Rules(("x", "y"), ("c",))
    assert read_rules(place, {"LLEM_COMPONENTS_DENY": "x"}) == Rules(("a",), ("x",))


def test_an_empty_variable_allows_no_third_party(tmp_path: Path) -> None:
    assert read_rules(tmp_path, {"LLEM_COMPONENTS_ALLOW": ""}).allow == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.llem.components]\nallowed = []\n", "allowed is not known"),
        ("[tool.llem.components]\nallow = 'a'\n", "allow must be a list"),
        ("[tool.llem.components]\ndeny = [1]\n", "deny must be a list"),
        ("[tool.llem]\ncomponents = 1\n", "must be a table"),
        ("[tool.llem\n", "cannot be read"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_file(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        read_rules(project(tmp_path, text), {})
    assert "pyproject.toml" in str(error.value)
