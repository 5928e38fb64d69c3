"""Runs pytest with the plugin on a module whose ``energy`` and ``model`` are stand-ins."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

# Shared by all inner runs, which would else import pydantic again and again.
from pytest_llem.plan.collection import POINT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WriteStudy = Callable[..., Path]
    from pytest_llem.plan.point import Point

STAND_INS = """
import pytest

def energy():
    return "energy"

def model():
    return "session"

for function in (energy, model):
    function.__module__ = "pytest_llem.fixtures"  # as if the plugin provided them
energy = pytest.fixture(energy)
model = pytest.fixture(model)
"""


def plugin_options() -> list[str]:
    """Options that load the plugin, unless it is installed and loads by itself."""
    installed = {entry.name for entry in metadata.entry_points(group="pytest11")}
    return [] if "llem" in installed else ["-p", "pytest_llem.plugin"]


SWEPT = """
    base:
      output_tokens: 8
    sweep:
      backend: [transformers, vllm]
      batch_size: [1, 8]
      vllm.max_num_seqs: [64]
      shape:
        - {name: short, input_tokens: 16}
        - {input_tokens: 512, output_tokens: 1}
    exclude:
      - {batch_size: 8, input_tokens: 512}
      - {backend: vllm, batch_size: 1}
    experiments:
      - {batch_size: 64}
      - {name: big, batch_size: 128, backend: vllm}
    """

OPTIONS = [
    *plugin_options(),
    *("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"),
    *("--strict-markers", "--llem-isolation=none"),
]


@dataclass(eq=False)
class Collected:
    """What an inner pytest planned."""

    points: dict[str, Point | None] = field(default_factory=dict)
    """Points by the item's name, in collection order; ``None`` for ordinary tests."""
    exit_code: int = 0

    @property
    def names(self) -> list[str]:
        return list(self.points)

    def __getitem__(self, name: str) -> Point:
        point = self.points[name]
        assert point is not None
        return point

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.points = {item.name: item.stash.get(POINT_KEY, None) for item in session.items}


class Inner:
    """An inner pytest with the plugin and the stand-ins."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        pytester.makeconftest(STAND_INS)

    def collect(self, source: str, *options: str) -> Collected:
        """Collect a module *source*."""
        self.pytester.makepyfile(test_it=source)
        collected = Collected()
        result = self.pytester.inline_run(
            *OPTIONS, "--collect-only", "-q", *options, plugins=[collected]
        )
        collected.exit_code = int(result.ret)
        return collected

    def run(self, source: str | None, *options: str) -> pytest.RunResult:
        """Run a module *source*, or what is there already."""
        if source is not None:
            self.pytester.makepyfile(test_it=source)
        return self.pytester.runpytest_inprocess(*OPTIONS, *options)

    def run_apart(self, source: str, *options: str) -> pytest.RunResult:
        """Run a module *source* in a process of its own."""
        self.pytester.makepyfile(test_it=source)
        return self.pytester.runpytest_subprocess(*OPTIONS, *options)


@pytest.fixture
def inner(pytester: pytest.Pytester) -> Inner:
    return Inner(pytester)


@pytest.fixture
def swept() -> str:
    """A study with all that a grid can have."""
    return SWEPT


@pytest.fixture
def write_study(pytester: pytest.Pytester) -> WriteStudy:
    """Write a study file beside the tests."""

    def write(text: str, name: str = "quant.llem.yaml") -> Path:
        path = pytester.path / name
        path.write_text(dedent(text))
        return path

    return write
