"""The targets that people and workflows are told about."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROMISED = [
    "help",
    "environment",
    "lint",
    "types",
    "contracts",
    "unit",
    "functional",
    "e2e",
    "browser",
    "peers",
    "env-vllm",
    "test-vllm",
    "env-onnx",
    "test-onnx",
    "test",
    "bench",
    "benchmarks",
    "gpu-check",
    "fuzz",
    "schemas",
    "inventory",
    "docs",
    "clean",
]


@pytest.fixture
def help_text(checkout: Path) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=checkout, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_make_alone_lists_every_target_with_a_description(help_text: str) -> None:
    listed = dict(re.findall(r"^  make ([\w-]+) +(\S.*)$", help_text, flags=re.MULTILINE))
    assert sorted(listed) == sorted(PROMISED)


def test_no_target_is_mistaken_for_a_file(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    targets = re.findall(r"^([a-z0-9-]+):", makefile, flags=re.MULTILINE)
    assert sorted(phony.split()) == sorted(targets)


def test_the_guide_for_contributors_names_only_targets_that_exist(checkout: Path) -> None:
    named = re.findall(r"`make ([\w-]+)", (checkout / "CONTRIBUTING.md").read_text())
    assert named
    assert set(named) <= set(PROMISED)


def test_make_test_runs_every_directory_of_tests(checkout: Path) -> None:
    """Each directory belongs to one of unit, functional, e2e and browser, but for those that need more.

    tests/gpu needs a GPU; those of vLLM need its environment and are run by ``make test-vllm``.
    """
    done = subprocess.run(
        ["make", "--dry-run", "test"], cwd=checkout, capture_output=True, text=True, check=True
    )
    runs = [line for line in done.stdout.splitlines() if "-m pytest" in line]
    chosen = [re.findall(r"(--ignore=)?(tests\S*)", line) for line in runs]
    assert chosen == [
        [
            ("", "tests"),
            ("--ignore=", "tests/functional"),
            ("--ignore=", "tests/e2e"),
            ("--ignore=", "tests/browser"),
            ("--ignore=", "tests/gpu"),
            ("--ignore=", "tests/engine_vllm"),
            ("--ignore=", "tests/e2e_vllm"),
        ],
        [("", "tests/functional")],
        [("", "tests/e2e")],  # those that may have neighbours
        [("", "tests/e2e")],  # and those that may not
        [("", "tests/browser")],
    ]
