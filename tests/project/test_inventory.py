"""No public name comes or goes without the CHANGELOG saying so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Script = Callable[[str], Any]

CHANGES = """# Changelog

## [Unreleased]

### Added

- Something.

## [1.0.0]

### Inventory

Of that release.
"""


@pytest.fixture
def inventory(script: Script) -> Any:
    return script("scripts/inventory.py")


@pytest.fixture
def root(tmp_path: Path, inventory: Any) -> Path:
    """A repository whose inventory begins with two names."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    inventory.update(tmp_path, frozenset({"api a", "api b"}), start=True)
    return tmp_path


def test_the_committed_inventory_is_that_of_the_code_and_in_the_changelog(
    inventory: Any, checkout: Path
) -> None:
    assert inventory.problems(checkout, inventory.inventory()) == [], "run: make inventory"


def test_the_document_of_the_library_is_that_of_the_code(script: Script, checkout: Path) -> None:
    written = script("scripts/api_reference.py").reference()
    assert (checkout / "docs/api.md").read_text() == written, "run: make inventory"


def test_the_inventory_has_every_kind_of_name(inventory: Any) -> None:
    names = inventory.inventory()
    assert {
        "api run_study(study, *, settings=, on_progress=, on_result=)",
        "api Judgement.failed(*, strict)",
        "option --llem-require (measured)",
        "fixture energy",
        "marker llem gates",
        "field vllm.max_num_seqs",
        "variable LLEM_PROFILE",
        "variable LLEM_<SECTION>__<OPTION>",
        "entry point pytest11 llem",
        "group pytest_llem.engines (version 1)",
        "component meters.nvml",
        "hook pytest_llem_report(config, results)",
        "command llem runs delete --yes",
        "command llem migrate PATHS...",
        "schema baseline v2",
        "file pyproject.toml [tool.llem.gates]",
        "file *.llem.yaml sweep",
        "profile h100-sxm",
        "metric energy_per_output_token_j",
    } <= names


def test_what_changes_without_a_word_is_a_problem_until_it_is_written(
    root: Path, inventory: Any
) -> None:
    now = frozenset({"api b", "api c"})
    assert inventory.problems(root, frozenset({"api a", "api b"})) == []
    assert inventory.problems(root, now) == [
        "docs/inventory.txt has no 'api c'",
        "docs/inventory.txt still has 'api a'",
    ]
    inventory.update(root, now)
    assert inventory.problems(root, now) == []
    said = (root / "CHANGELOG.md").read_text()
    assert "- added `api c`\n- removed `api a`\n\n## [1.0.0]" in said
    assert "Of that release." in said
    again = said
    inventory.update(root, now)
    assert (root / "CHANGELOG.md").read_text() == again


def test_an_inventory_that_was_written_by_hand_is_a_problem(root: Path, inventory: Any) -> None:
    file = root / "docs/inventory.txt"
    file.write_text(file.read_text() + "api z\n")
    (problem,) = inventory.problems(root, frozenset({"api a", "api b", "api z"}))
    assert "contradict each other" in problem


def test_what_came_and_went_again_is_not_told(root: Path, inventory: Any) -> None:
    before = (root / "CHANGELOG.md").read_text()
    inventory.update(root, frozenset({"api a", "api b", "api c"}))
    inventory.update(root, frozenset({"api a", "api b"}))
    assert (root / "CHANGELOG.md").read_text() == before
