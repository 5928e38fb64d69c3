"""Whole runs in containers: several processes each, several workers, several engines."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instruments.boxes import CONTAINER, IMAGE, QUICK
from instruments.environments import lean_environment
from instruments.printed import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from instruments.boxes import Boxed

    Run = Callable[..., pytest.RunResult]
    Stored = Callable[[], list[dict[str, Any]]]

SOURCE = f"""
import os, sys, time
import pytest

@pytest.mark.llem(measurement={QUICK})
@pytest.mark.parametrize("name", ["a", "b"])
def test_it(energy, name):
    with open("order", "a") as file:
        file.write(f"{{name}} {{os.uname().nodename}} {{time.monotonic_ns()}}")
    energy.measure(lambda: sum(range(10_000)), work={{"output_tokens": 5}})
    with open("order", "a") as file:
        file.write(f" {{time.monotonic_ns()}}\\n")
"""


def order() -> list[list[str]]:
    return [line.split() for line in Path("order").read_text().splitlines()]


def test_each_repeat_has_a_container_of_its_own(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    result = run(SOURCE, CONTAINER, "--llem-repeats=3")
    result.assert_outcomes(passed=2)
    assert [line[0] for line in order()] == ["a", "b"] * 3
    assert len({line[1] for line in order()}) == 6
    assert "2 experiments, 3 processes each" in text_of(result)
    assert {(one["isolation"], one["isolation_reason"]) for one in stored()} == {
        ("container", None)
    }


def test_containers_of_several_workers_take_turns(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed
) -> None:
    pytester.makepyprojecttoml(box.table("transformers"))
    run(SOURCE, CONTAINER, "-n2", "--dist=each").assert_outcomes(passed=4)
    spans = sorted((int(line[2]), int(line[3])) for line in order())
    assert len(spans) == 4, order()
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert not any(one["measurement_methodology"]["shared"] for one in stored())


def test_an_image_and_an_interpreter_are_compared_in_one_session(
    run: Run, stored: Stored, pytester: pytest.Pytester, box: Boxed
) -> None:
    python = lean_environment(pytester.path / "venv")
    pytester.makepyprojecttoml(
        box.table("contained") + f'[tool.llem.engines.interpreted]\npython = "{python}"\n'
    )
    result = run(SOURCE, "--llem-backend=transformers,interpreted,contained")
    result.assert_outcomes(passed=6)
    where = {one["config"]["backend"]: one for one in stored()}
    assert where["transformers"]["elsewhere"] is None
    assert where["interpreted"]["elsewhere"]["executable"] == str(python)
    assert where["interpreted"]["isolation"] in {"spawn", "fork-server"}
    assert where["contained"]["elsewhere"]["image"] == IMAGE
    assert where["contained"]["elsewhere"]["executable"] == sys.executable
    assert where["contained"]["isolation"] == "container"
    assert "not installed in pytest" in where["contained"]["isolation_reason"]
